//! hotgraph beside its peers, in one binary.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml` prints the table of peers.

mod measure;
mod peers;
mod table;
mod work;

use std::process::ExitCode;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("tokio starts");
    match std::env::args().nth(1).as_deref() {
        None => runtime.block_on(table::print()),
        Some(other) => {
            eprintln!("no command `{other}`; without one, the table of peers is printed");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
