//! The program from outside, in one binary.

mod wire;
