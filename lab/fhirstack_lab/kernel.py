"""What a host sees of the kernel: sizes of its own, and settings that do not reach the machine."""

SETTINGS = (
    "vm/overcommit_memory",
    "vm/swappiness",
    "vm/max_map_count",
    "vm/panic_on_oom",
    "vm/dirty_ratio",
    "vm/dirty_background_ratio",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/kptr_restrict",
    "kernel/dmesg_restrict",
    "kernel/yama/ptrace_scope",
    "kernel/unprivileged_bpf_disabled",
    "kernel/sysrq",
    "kernel/randomize_va_space",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    "kernel/kexec_load_disabled",
    "kernel/perf_event_paranoid",
    "kernel/timer_migration",
    "kernel/core_pattern",
    "kernel/pid_max",
    "fs/inotify/max_user_watches",
    "fs/inotify/max_user_instances",
    "fs/file-max",
    "fs/protected_hardlinks",
    "fs/protected_symlinks",
    "fs/protected_fifos",
    "fs/protected_regular",
    "fs/suid_dumpable",
)
"""Settings of the whole machine that a host may write: each host gets a file in their place.

Settings below /proc/sys/net are a namespace's own and real; all others are read-only.
"""

_LESS = 0.98
"""A virtual machine's kernel keeps about 2 % of its memory from what it reports."""


def meminfo(memory: int) -> str:
    """Return /proc/meminfo of an idle machine with so many bytes, as sold in units of 2^30."""
    total = int(memory / 10**9 * 2**20 * _LESS)
    values = {
        "MemTotal": total,
        "MemFree": int(total * 0.85),
        "MemAvailable": int(total * 0.93),
        "Buffers": int(total * 0.01),
        "Cached": int(total * 0.07),
        "SwapCached": 0,
        "Active": int(total * 0.05),
        "Inactive": int(total * 0.05),
        "SwapTotal": 0,
        "SwapFree": 0,
        "Dirty": 0,
        "Writeback": 0,
        "AnonPages": int(total * 0.02),
        "Mapped": int(total * 0.01),
        "Shmem": 1024,
        "Slab": int(total * 0.01),
        "SReclaimable": int(total * 0.005),
        "SUnreclaim": int(total * 0.005),
        "CommitLimit": total // 2,
        "Committed_AS": int(total * 0.03),
        "VmallocTotal": 34359738367,
        "VmallocUsed": 9028,
        "VmallocChunk": 0,
    }
    lines = [f"{key + ':':<15} {value:>8} kB" for key, value in values.items()]
    pages = [
        f"{'HugePages_' + name + ':':<15} {0:>8}" for name in ("Total", "Free", "Rsvd", "Surp")
    ]
    return "\n".join([*lines, *pages, f"{'Hugepagesize:':<15} {2048:>8} kB"]) + "\n"


def cpuinfo(cores: int, of_machine: str) -> str:
    """Return /proc/cpuinfo with so many cores, each like the machine's first."""
    first = of_machine.partition("\n\n")[0]
    blocks = []
    for core in range(cores):
        own = {"processor": core, "core id": core, "apicid": core, "initial apicid": core}
        own |= {"siblings": cores, "cpu cores": cores}
        lines = []
        for line in first.splitlines():
            key, colon, _ = line.partition(":")
            name = key.strip()
            lines.append(f"{key}{colon} {own[name]}" if name in own else line)
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n\n"


def cpu_range(cores: int) -> str:
    """Return the form of /sys/devices/system/cpu/online."""
    return f"0-{cores - 1}\n" if cores > 1 else "0\n"
