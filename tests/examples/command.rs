//! `command IN.wat OUT.wasm` assembles a WASI command that was written by hand; `command IN.wasm OUT.wasm` makes a
//! component of one that is a core module.

#[path = "../suite/wasm/component.rs"]
mod component;

use std::error::Error;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = env::args().skip(1);
    let (Some(from), Some(to)) = (words.next(), words.next()) else {
        return Err("which file, and where does the other go?".into());
    };
    let file = fs::read(&from)?;
    let made = if from.ends_with(".wat") {
        wat::parse_bytes(&file)?.into_owned()
    } else {
        component::component(&file)
    };
    fs::write(to, made)?;
    Ok(())
}
