//! The name by which this installation tells itself apart from others in `/v1/server_info`.

use aws_lc_rs::rand;
use config::settings::Settings;
use store::Store;

use crate::failure::Failure;

/// Where it is kept in the store.
const PLACE: &str = "instance_id";

/// `apisix.id`, else an id that was made at the first start.
///
/// # Errors
/// If a fresh id cannot be made or kept.
pub async fn id(settings: &Settings, store: &Store) -> Result<String, Failure> {
    if let Some(id) = settings.apisix.id.clone().or_else(|| store.get_meta(PLACE)) {
        return Ok(id);
    }
    let id = fresh()?;
    store.put_meta(PLACE, &id).await.map_err(Failure::runtime)?;
    Ok(id)
}

/// A random UUID (version 4).
fn fresh() -> Result<String, Failure> {
    let mut bytes = [0u8; 16];
    rand::fill(&mut bytes).map_err(|_| Failure::runtime("the operating system gives no random numbers"))?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let (a, b, c, d, e) = (&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]);
    Ok(format!("{a}-{b}-{c}-{d}-{e}"))
}
