// SPDX-License-Identifier: GPL-2.0-or-later
//! A HashMap that is filled, cleared, and keeps its table: the high-water mark in Rust.
//!
//! stdin: `fill N` | `clear` | `quit`; stdout: `ready`, then `done CAPACITY`.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};

#[inline(never)]
fn fill_map(map: &mut HashMap<u64, [u8; 56]>, n: u64) {
    for key in 0..n {
        map.insert(key, [key as u8; 56]);
    }
}

fn main() -> io::Result<()> {
    let mut map = HashMap::new();
    let mut out = io::stdout();

    writeln!(out, "ready")?;
    out.flush()?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split_whitespace();
        match words.next() {
            Some("fill") => {
                let n = words.next().and_then(|w| w.parse().ok()).unwrap_or(0);
                fill_map(&mut map, n);
            }
            Some("clear") => map.clear(),
            _ => break,
        }
        writeln!(out, "done {}", map.capacity())?;
        out.flush()?;
    }
    Ok(())
}
