//! How options are built. Their fields are public, but there may be more of them one day: others than this library can't write them
//! as a literal, and start from the defaults.

/// Gives an option struct a method `with_…` for each of its fields, and fails to compile if one is missing from the list.
macro_rules! with_fields {
    ($options:ident { $($with:ident => $field:ident: $value:ty),* $(,)? }) => {
        impl $options {
            $(
                #[doc = concat!("The same options with another [`", stringify!($field), "`](field@Self::", stringify!($field), ").")]
                #[must_use]
                pub fn $with(mut self, $field: $value) -> Self {
                    self.$field = $field;
                    self
                }
            )*
        }

        const _: fn($options) = |$options { $($field: _),* }| ();
    };
}
