//! std::collections::HashMap behind the calls of container.h.
use std::collections::HashMap;
use std::os::raw::{c_char, c_void};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Value {
    birth_ns: u64,
    block_bytes: u32,
    site: u32,
}

type Map = HashMap<u64, Value>;

#[no_mangle]
pub extern "C" fn bench_name() -> *const c_char {
    b"rust HashMap\0".as_ptr() as *const c_char
}

#[no_mangle]
pub extern "C" fn bench_new() -> *mut c_void {
    Box::into_raw(Box::new(Map::new())) as *mut c_void
}

#[no_mangle]
pub unsafe extern "C" fn bench_put(map: *mut c_void, key: u64, value: *const Value) {
    (*(map as *mut Map)).insert(key, *value);
}

#[no_mangle]
pub unsafe extern "C" fn bench_get(map: *const c_void, key: u64, ret: *mut Value) -> bool {
    match (*(map as *const Map)).get(&key) {
        Some(value) => {
            *ret = *value;
            true
        }
        None => false,
    }
}

#[no_mangle]
pub unsafe extern "C" fn bench_del(map: *mut c_void, key: u64) -> bool {
    (*(map as *mut Map)).remove(&key).is_some()
}

/// HashMap has no call for it.
#[no_mangle]
pub unsafe extern "C" fn bench_prefetch(_map: *const c_void, _key: u64) {}

#[no_mangle]
pub unsafe extern "C" fn bench_shrink(map: *mut c_void) {
    (*(map as *mut Map)).shrink_to_fit();
}
