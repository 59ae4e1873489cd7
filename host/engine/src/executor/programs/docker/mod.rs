//! The docker executor: `engine` finds and drives docker or podman, `run` runs one action in
//! a container, and `turn` lets one call at a time build an image.

mod engine;
mod run;
mod turn;

pub(super) use engine::{BUILD_TIME, Container, Engine, arguments, finish, image_name, image_tag};
