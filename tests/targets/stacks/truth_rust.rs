// SPDX-License-Identifier: GPL-2.0-or-later
//! What Rust does to a stack: every large allocation of the standard collections goes through
//! truth_alloc(), which records it; generics, closures, trait objects, a caught panic, threads.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::{BTreeMap, HashMap};
use std::ffi::{c_char, c_int, c_void};

extern "C" {
    fn truth_alloc(label: *const c_char) -> *mut c_void;
    fn truth_begin();
    fn truth_end() -> c_int;
}

/// Its record asks for a block of another size; the one that Rust asked for is the system's.
struct Recording;

const LARGE: usize = 3000;

unsafe impl GlobalAlloc for Recording {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() >= LARGE {
            truth_alloc(b"alloc\0".as_ptr().cast());
        }
        System.alloc(layout)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        System.dealloc(block, layout)
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        if bytes >= LARGE {
            truth_alloc(b"realloc\0".as_ptr().cast());
        }
        System.realloc(block, layout, bytes)
    }
}

#[global_allocator]
static RECORDING: Recording = Recording;

trait Shape {
    fn fill(&self, depth: usize) -> usize;
}

struct Square(usize);
struct Circle(String);

impl Shape for Square {
    fn fill(&self, depth: usize) -> usize {
        descend(depth) + Vec::<u8>::with_capacity(LARGE + self.0).capacity()
    }
}

impl Shape for Circle {
    fn fill(&self, depth: usize) -> usize {
        descend(depth) + self.0.repeat(LARGE).len()
    }
}

#[inline(never)]
fn descend(depth: usize) -> usize {
    if depth == 0 {
        return vec![1u8; LARGE].iter().map(|&byte| byte as usize).sum();
    }
    let shape: Box<dyn Shape> = if depth % 2 == 0 {
        Box::new(Square(depth))
    } else {
        Box::new(Circle("ab".to_string()))
    };
    shape.fill(depth - 1)
}

fn grown() -> usize {
    let mut list = Vec::new();
    let mut map = HashMap::new();
    let mut tree = BTreeMap::new();
    for i in 0..3000u64 {
        list.push(i);
        map.insert(i, i.to_string());
        tree.entry(i % 7).or_insert_with(Vec::new).push([i; 8]);
    }
    list.len() + map.len() + tree.len()
}

struct AtEnd;

impl Drop for AtEnd {
    fn drop(&mut self) {
        std::hint::black_box(vec![2u8; LARGE]);
    }
}

fn caught() -> bool {
    std::panic::set_hook(Box::new(|_| ()));
    std::panic::catch_unwind(|| {
        let _at_end = AtEnd;
        if descend(3) > 0 {
            panic!("expected");
        }
    })
    .is_err()
}

fn main() {
    unsafe { truth_begin() };
    let mut sum = 0;
    for depth in 0..8 {
        sum += descend(depth);
    }
    sum += grown() + caught() as usize;
    sum += std::thread::spawn(|| descend(4) + grown()).join().unwrap();
    std::hint::black_box(sum);
    std::process::exit(unsafe { truth_end() });
}
