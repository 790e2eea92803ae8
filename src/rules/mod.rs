//! What may be done. Pure: facts and settings in, a verdict out.

pub mod checks;
pub mod contact_hours;
pub mod content;
pub mod gate;
pub mod plan;
pub mod prompt;
pub mod routing;
