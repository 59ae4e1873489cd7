//! The docker executor: `engine` finds and drives docker or podman, `run` runs one action in a container.

mod engine;
mod run;

pub(super) use engine::{
    BUILD_TIME, Container, Engine, arguments, contents, finish, image_name, image_tag,
};
