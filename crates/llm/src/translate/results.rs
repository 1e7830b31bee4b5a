//! Results of tools right behind the calls that they answer.
//!
//! Responses, a flat list of items, lets others stand between; elsewhere providers refuse a conversation in which
//! somebody speaks before all calls are answered. Invariant: all else keeps its order.

use crate::model::{Part, PartBody, Role, Turn};

/// Moves the turns that hold results to the front of what follows the model's calls.
pub(super) fn move_behind_calls(turns: &mut [Turn<'_>]) {
    for answer in turns.split_mut(|turn| turn.role == Role::Assistant).skip(1) {
        answer.sort_by_key(|turn| !turn.parts.iter().any(is_result));
    }
}

fn is_result(part: &Part<'_>) -> bool {
    matches!(part.body, PartBody::ToolResult(_))
}
