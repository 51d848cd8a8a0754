//! hotgraph beside its peers, in one binary.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml` prints the table of peers.

mod apart;
mod measure;
mod peers;
mod table;
mod work;

use std::process::ExitCode;

fn main() -> ExitCode {
    let tokio = tokio::runtime::Runtime::new().expect("tokio starts");
    let _context = tokio.enter();
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => table::print(),
        (Some(apart::COMMAND), Some(row)) => table::answer(row.parse().expect("a row is a number")),
        (Some(other), _) => {
            eprintln!("no command `{other}`; without one, the table of peers is printed");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
