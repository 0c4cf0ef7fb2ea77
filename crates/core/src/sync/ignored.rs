//! One line in the log for each thing of a member that was refused or ignored: a stable code, and nothing of what it was or whose.

/// Notes it.
pub(crate) fn note(code: &'static str) {
    tracing::info!(code, "something that a member sent was ignored");
}
