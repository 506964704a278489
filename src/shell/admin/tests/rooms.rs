//! Who is let in while others come in crowds.

use super::*;
use crate::shell::admin::{OWNERS_MAX, Rooms, STRANGERS_MAX};

#[test]
fn no_crowd_keeps_out_whom_the_switch_knows_nor_these_its_owner() {
    let mut world = World::new("rooms");
    let asha = config::User { uid: Some(1_001), ..user("asha", Role::ReadOnly, &[], false) };
    world.users_are(vec![asha]);
    let (rooms, mut inside) = (Rooms::new(), Vec::new());
    let mut crowd = |uid: u32| {
        let before = inside.len();
        inside.extend(std::iter::from_fn(|| rooms.enter(&world.api, &Peer::Uid(uid))));
        inside.len() - before
    };
    assert_eq!(crowd(1_002), STRANGERS_MAX);
    assert!(crowd(1_001) > 1_000);
    assert_eq!(crowd(0), OWNERS_MAX);
}
