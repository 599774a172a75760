//! What must hold whatever bytes come in, one oracle for each thing that reads what others wrote: an oracle panics where it does not hold.
//!
//! The fuzzer (`../targets`) and the ordinary tests (`tests/it/fuzzed.rs`) call the same functions: a seed, or an input that the fuzzer found, says the same in
//! both. Each oracle gives what it came to, so that a test can see that a seed reaches what it was written for.

mod browser_use;
mod browserbase;
mod configuration;
mod cut;
mod dealt;
mod ledger;
mod planted;
mod policy;

pub use browser_use::browser_use_wire;
pub use browserbase::browserbase_wire;
pub use configuration::configuration;
pub use dealt::noon;
pub use ledger::{Opened, ledger_opening};
pub use policy::policy;
