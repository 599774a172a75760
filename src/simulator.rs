//! A provider that is not there: one seeded world of sessions with their whole truth, and two faces over it.
//!
//! In reading order: [`life`] is one session from birth to end, [`activity`] what is done in it meanwhile, [`population`] how sessions come to be, [`fault`] what may go wrong, [`world`] holds it all,
//! [`answer`] is what Browserbase says to one request, as a value, [`wire`], [`query`], [`route`] and [`evidence`] are its words for it; [`agent`] is an agent session of Browser
//! Use, and [`browser_use`] its API. On that stand the faces:
//! [`in_process`] for virtual time, [`http`] for real time. The world reads no clock and does no I/O: every function takes the instant.

pub mod activity;
pub mod agent;
pub mod answer;
pub mod browser_use;
pub mod clock;
mod connection;
mod evidence;
pub mod fault;
pub mod http;
pub mod in_process;
pub mod life;
pub mod population;
pub mod query;
mod route;
mod wire;
pub mod world;

use std::sync::{Arc, Mutex, PoisonError};

pub use activity::Act;
pub use agent::{NewAgent, NewTask};
pub use clock::WorldClock;
pub use fault::{BadRow, Extent, Fault, Target};
pub use http::{Running, Simulator};
pub use life::{Cause, End, NewSession};
pub use population::Population;
pub use world::{Settings, Truth, World};

/// The key whose world is alive from the seed; other keys that begin so are accepted too, and start empty.
pub const BROWSERBASE_KEY: &str = "bb_demo";
/// The same for Browser Use.
pub const BROWSER_USE_KEY: &str = "bu_demo";

/// What people type into pages: logs, titles, tasks and messages are full of it, and none of it may be found anywhere else.
pub const TYPED_SECRET: &str = "typed-by-a-customer-4111";

/// One world between a server and whoever arranges what happens in it.
#[derive(Clone, Debug)]
pub struct SharedWorld(Arc<Mutex<World>>);

impl SharedWorld {
    pub fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    /// Looks at the world, or changes it, while nobody else does.
    pub fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
