//! How events are stored: what was written once must be read for ever.

use everstep_core::Record;

use crate::world::World;

#[test]
fn todo() {
    let mut world = World::begun();
    let _: &Record = &world.records[0];
    world.succeed("x");
}
