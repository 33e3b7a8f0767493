//! `--shard`: a part of the pictures, as the user says, or as a scheduler does.

use std::env;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::output::{Shard, ShardBy};

#[derive(Debug, Args)]
pub struct ShardArgs {
    /// Process only part K of N of the pictures, counting from 1; 'yolo-cam merge' then writes the reports of the whole run. auto takes K
    /// and N from the environment of a Slurm job array (SLURM_ARRAY_TASK_ID), a Kubernetes indexed job (JOB_COMPLETION_INDEX; set
    /// JOB_COMPLETIONS to the number of completions) or torchrun (RANK)
    #[arg(long, value_name = "K/N|auto", value_parser = wanted, help_heading = "Input and output")]
    shard: Option<Wanted>,
    /// How the pictures are divided
    #[arg(long, value_enum, default_value_t, requires = "shard", help_heading = "Input and output")]
    shard_by: ShardBy,
}

/// More parts than these are a slip.
const MOST: u32 = 100_000;

/// Which part.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    Auto,
    Part { number: u32, of: u32 },
}

/// A part of the pictures.
#[derive(Debug, Clone)]
pub struct ShardChoice {
    pub shard: Shard,
    /// The variables that say so, unless the user does.
    pub told_by: Option<String>,
}

impl ShardArgs {
    pub fn validated(self) -> Result<Option<ShardChoice>> {
        let by = self.shard_by;
        let choice = |number: u32, of: u32, told_by| ShardChoice { shard: Shard { number, of, by }, told_by };
        Ok(match self.shard {
            None => None,
            Some(Wanted::Part { number, of }) => Some(choice(number, of, None)),
            Some(Wanted::Auto) => {
                let (number, of, told_by) = of_environment(|name| env::var(name).ok())?;
                Some(choice(number, of, Some(told_by)))
            }
        })
    }
}

fn wanted(text: &str) -> Result<Wanted, String> {
    if text == "auto" {
        return Ok(Wanted::Auto);
    }
    let numbers = text.split_once('/').map(|(number, of)| (number.trim().parse(), of.trim().parse()));
    match numbers {
        Some((Ok(number), Ok(of))) if 1 <= number && number <= of && of <= MOST => Ok(Wanted::Part { number, of }),
        _ => Err(format!("expected K/N with K from 1 to N, such as 3/16, and N at most {MOST}; or auto")),
    }
}

/// The part, of how many, and the variables that say so. `variable`: the value of one, if it is set.
fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Result<(u32, u32, String)> {
    let given = |name: &'static str| variable(name).filter(|value| !value.trim().is_empty());
    let number = |name: &'static str| -> Result<u64> {
        let Some(text) = given(name) else { bail!("--shard auto: {name} is not set; set it, or give --shard K/N") };
        let value = text.trim().parse();
        value.with_context(|| format!("--shard auto: {name} is {text:?}, expected a number; give --shard K/N"))
    };
    let or = |name: &'static str, usual: u64| if given(name).is_some() { number(name) } else { Ok(usual) };
    let (index, of, names) = if given("SLURM_ARRAY_TASK_ID").is_some() {
        let [id, of] = [number("SLURM_ARRAY_TASK_ID")?, number("SLURM_ARRAY_TASK_COUNT")?];
        let [least, step] = [number("SLURM_ARRAY_TASK_MIN")?, or("SLURM_ARRAY_TASK_STEP", 1)?.max(1)];
        ensure!(
            id >= least && (id - least) % step == 0,
            "--shard auto: SLURM_ARRAY_TASK_ID {id} is not one of an even array from {least}; give --shard K/N"
        );
        ((id - least) / step, of, ["SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"])
    } else if given("JOB_COMPLETION_INDEX").is_some() {
        let names = ["JOB_COMPLETION_INDEX", "JOB_COMPLETIONS"];
        (number(names[0])?, number(names[1])?, names)
    } else if given("RANK").is_some() {
        (number("RANK")?, number("WORLD_SIZE")?, ["RANK", "WORLD_SIZE"])
    } else {
        bail!(
            "--shard auto finds none of SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX and RANK, which schedulers set; give --shard K/N"
        )
    };
    let told = names.map(|name| format!("{name} {}", given(name).unwrap_or_default())).join(" and ");
    let (number, of) = (u32::try_from(index.saturating_add(1)), u32::try_from(of));
    match (number, of) {
        (Ok(number), Ok(of)) if number <= of && of <= MOST => Ok((number, of, told)),
        _ => bail!("--shard auto: {told} do not fit; give --shard K/N"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auto(variables: &[(&str, &str)]) -> Result<(u32, u32), String> {
        let value =
            |name: &str| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned());
        of_environment(value).map(|(number, of, _)| (number, of)).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_part_is_said_with_a_slash() {
        assert!(matches!(wanted("3/16"), Ok(Wanted::Part { number: 3, of: 16 })));
        assert!(matches!(wanted("auto"), Ok(Wanted::Auto)));
        for wrong in ["0/4", "5/4", "3", "3/", "a/b", "-1/4", "1/0", "1/4/2", "1.5/2", ""] {
            assert!(wanted(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn schedulers_say_which_part() {
        let slurm = |id, count, least, step| {
            auto(&[
                ("SLURM_ARRAY_TASK_ID", id),
                ("SLURM_ARRAY_TASK_COUNT", count),
                ("SLURM_ARRAY_TASK_MIN", least),
                ("SLURM_ARRAY_TASK_STEP", step),
                ("RANK", "0"),
                ("WORLD_SIZE", "1"),
            ])
        };
        assert_eq!(slurm("3", "16", "1", "1"), Ok((3, 16)));
        assert_eq!(slurm("0", "4", "0", ""), Ok((1, 4)));
        assert_eq!(slurm("14", "4", "2", "4"), Ok((4, 4)));
        assert!(slurm("7", "3", "1", "1").unwrap_err().contains("do not fit"));
        assert!(slurm("7", "3", "2", "2").unwrap_err().contains("not one of an even array"));
        assert!(slurm("x", "3", "1", "1").unwrap_err().contains("SLURM_ARRAY_TASK_ID is \"x\""));
        assert_eq!(auto(&[("JOB_COMPLETION_INDEX", "0"), ("JOB_COMPLETIONS", "8")]), Ok((1, 8)));
        let alone = auto(&[("JOB_COMPLETION_INDEX", "0")]).unwrap_err();
        assert!(alone.contains("JOB_COMPLETIONS is not set"), "{alone}");
        assert_eq!(auto(&[("RANK", "7"), ("WORLD_SIZE", "8")]), Ok((8, 8)));
        assert!(auto(&[("RANK", "8"), ("WORLD_SIZE", "8")]).unwrap_err().contains("do not fit"));
        assert!(auto(&[("RANK", "-1"), ("WORLD_SIZE", "8")]).unwrap_err().contains("expected a number"));
        assert!(auto(&[]).unwrap_err().contains("finds none of"));
    }
}
