//! Holds no code: its `Cargo.toml` asks for the features that several crates of Kael need of the same dependencies, so that
//! Cargo compiles each of these once.
