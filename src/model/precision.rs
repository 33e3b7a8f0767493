//! How exactly a network computes.

use tch::{Device, Kind};

/// The floating-point numbers that a network computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Precision {
    /// 32-bit floats: seven decimal digits
    #[default]
    F32,
    /// bfloat16, the upper 16 bits of these: two to three decimal digits
    Bf16,
}

impl Precision {
    /// The name in options and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }

    /// Whether `device` computes with them: elsewhere libtorch converts back and forth, which is slower than 32 bits.
    pub fn is_native(self, device: Device) -> bool {
        match self {
            Self::F32 => true,
            Self::Bf16 => device != Device::Cpu || processor_has_bf16(),
        }
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Self::F32 => Kind::Float,
            Self::Bf16 => Kind::BFloat16,
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn processor_has_bf16() -> bool {
    is_x86_feature_detected!("avx512bf16")
}

#[cfg(target_arch = "aarch64")]
fn processor_has_bf16() -> bool {
    std::arch::is_aarch64_feature_detected!("bf16")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn processor_has_bf16() -> bool {
    false
}
