//! The program from outside, in one binary: each module is about one thing that it promises.

mod support;

mod browserbase_client;
mod simulator;
