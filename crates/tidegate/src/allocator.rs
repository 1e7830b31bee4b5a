//! The one place that chooses the allocator of the process. The choice is a matter of measurement: a gateway
//! makes and drops many small buffers on few threads.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
