//! The one place that chooses the allocator of the process, by measurement (`bench/run --only memory`): with 2,000 slow
//! streams held open mimalloc took twice the memory of jemalloc, at the same CPU per request.

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
