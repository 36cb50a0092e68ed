#!/usr/bin/env python3
"""The arrows between rooms, as three checks over a finished build.

  links     every room links alone with what it may use
  includes  every object read only headers of rooms and libraries that its room may include
  symbols   raft and workflow take nothing from libc that tells time, draws randomness, reads the environment or prints

Each check also runs over a deliberately wrong fixture and must refuse it. Usage: arrows.py CHECK BUILD_DIR SOURCE_DIR
"""
import pathlib
import re
import subprocess
import sys
import tempfile

# room: (rooms it may use, libraries it may use)
ARROWS = {
    "raft": ([], []),
    "proto": ([], ["msgpack", "sodium", "yaml"]),
    "workflow": (["proto"], []),
    "wire": (["proto"], ["nng"]),
    "node": (["raft", "proto", "workflow", "wire"], ["lmdb", "sodium", "xxhash"]),
    "client": (["proto", "wire"], ["sodium"]),
    "client/cli": (["client", "proto", "wire", "workflow"], ["sodium"]),
}

# library: (headers, as a pattern over their paths; what the linker is told)
LIBRARIES = {
    "msgpack": (r"/msgpack(\.h|/)", ["-lmsgpackc"]),
    "sodium": (r"/sodium(\.h|/)", ["-lsodium"]),
    "yaml": (r"/yaml\.h$", ["-lyaml"]),
    "nng": (r"/nng/", ["-lnng"]),
    "lmdb": (r"/lmdb\.h$", ["-llmdb"]),
    "xxhash": (r"/xxh(ash|3)\.h$", []),
}

# Headers that a room may not read from libc either.
FORBIDDEN_HEADERS = {
    room: r"/(time|sys/time|sys/random|pthread|threads|stdio|locale|unistd|sys/socket|fcntl|signal)\.h$"
    for room in ("raft",)
}

# Arithmetic that the compiler takes from its own library.
COMPILER_HELPERS = r"__(u?divmod|u?div|u?mod|mul|popcount|clz|ctz|ash[lr]|lshr|fix|fixuns|float|floatun)[a-z]*(s|d|t)(i|f)[0-9]?"

# What raft and workflow may take from outside their rooms.
ALLOWED_SYMBOLS = {
    "raft": r"malloc|calloc|realloc|free|mem(cpy|move|set|cmp)|__assert_fail|__stack_chk_fail|__mem(cpy|move|set)_chk",
    "workflow": r"malloc|calloc|realloc|free|mem(cpy|move|set|cmp|chr|mem|rchr)|str(len|cmp|ncmp|chr|rchr|str|tod|spn|cspn|nlen)"
    r"|qsort|bsearch|abort|__assert_fail|__stack_chk_fail|__(mem(cpy|move|set)|snprintf|vsnprintf|strcat|strncat|stpcpy|strcpy|strncpy)_chk|v?snprintf"
    r"|__isoc99_sscanf|_GLOBAL_OFFSET_TABLE_|(f?abs|floor|ceil|trunc|round|rint|nearbyint|sqrt|cbrt|pow|exp|log|fmod|frexp|ldexp|modf"
    r"|sin|cos|tan|asin|acos|atan|atan2|sinh|cosh|tanh|asinh|acosh|atanh|exp2|exp10|expm1|log2|log10|log1p|logb|gamma|lgamma|lgamma_r|tgamma"
    r"|significand|drem|nextafter|nexttoward|copysign|fmin|fmax|fma|hypot|scalb|scalbn|scalbln|gamma_r|j0|j1|jn|y0|y1|yn|fdim|remainder|ilogb|signgam|isnan|isinf|finite|pow10)l?"
    r"|__(pow|exp|log|log2|log10|exp2|fmod|sqrt|lgamma|gamma|lgamma_r)_finite",
}


def room_of(path):
    parts = pathlib.PurePosixPath(path).parts
    if parts[:2] == ("client", "cli"):
        return "client/cli"
    return parts[0] if parts and parts[0] in ARROWS else None


def run(*command):
    return subprocess.run(command, capture_output=True, text=True)


def archives(build):
    """room -> the static libraries that its sources make"""
    found = {}
    for archive in sorted(build.rglob("libpawl_*.a")):
        room = room_of(archive.relative_to(build).as_posix())
        if room is not None:
            found.setdefault(room, []).append(archive)
    return found


def link_alone(room, objects, found):
    rooms, libraries = ARROWS[room]
    command = ["cc", "-shared", "-Wl,-z,defs", "-o", "/dev/null", "-Wl,--whole-archive"]
    command += [str(path) for path in objects] + ["-Wl,--no-whole-archive", "-Wl,--start-group"]
    command += [str(path) for other in rooms for path in found.get(other, [])]
    # a room that may be used brings the libraries that it may use itself
    used = set(libraries).union(*(ARROWS[other][1] for other in rooms)) if rooms else set(libraries)
    command += ["-Wl,--end-group"] + [flag for library in sorted(used) for flag in LIBRARIES[library][1]]
    command += ["-lm"] + (["-lpthread"] if room in ("node", "client", "wire", "client/cli") else [])
    return run(*command)


def check_links(build, source):
    found = archives(build)
    errors = []
    for room in ("raft", "proto", "workflow", "wire", "node", "client"):
        result = link_alone(room, found[room], found)
        if result.returncode != 0:
            errors.append(f"{room} does not link alone:\n{result.stderr[:2000]}")
    with tempfile.TemporaryDirectory() as directory:
        wrong = pathlib.Path(directory, "wrong.c")
        wrong.write_text("int wf_decide(void);\nint raft_wrong(void);\nint raft_wrong(void) { return wf_decide(); }\n")
        obj = wrong.with_suffix(".o")
        run("cc", "-fPIC", "-c", str(wrong), "-o", str(obj))
        if link_alone("raft", found["raft"] + [obj], found).returncode == 0:
            errors.append("the wrong fixture (raft calling workflow) links: this check sees nothing")
    return errors


def judge_include(room, header, source):
    """None: allowed; else why not"""
    rooms, libraries = ARROWS[room]
    inside = None
    if header.startswith(str(source) + "/"):
        inside = header[len(str(source)) + 1 :]
    elif not header.startswith("/"):
        inside = re.sub(r"^(\.\./)+", "", header)
    if inside is not None:
        other = room_of(inside)
        allowed = other is None or other == room or other in rooms or (room == "client/cli" and other == "client")
        return None if allowed else f"it may not enter {other}"
    for name, (pattern, _) in LIBRARIES.items():
        if re.search(pattern, header) and name not in libraries:
            return f"it may not use {name}"
    if room in FORBIDDEN_HEADERS and re.search(r"^/usr/include/[a-z_/]*", header):
        direct = re.sub(r"^/usr/include/(x86_64-linux-gnu/|aarch64-linux-gnu/)?", "/", header)
        if re.search("^" + FORBIDDEN_HEADERS[room], direct):
            return "it may not use that part of libc"
    return None


def check_includes(build, source):
    result = run("ninja", "-C", str(build), "-t", "deps")
    errors, room, target, count = [], None, "", 0
    for line in result.stdout.splitlines():
        match = re.match(r"(\S+\.o): #deps", line)
        if match:
            target = match.group(1)
            room = room_of(target)
            count += room is not None
        elif room is not None and line.startswith("    "):
            why = judge_include(room, line.strip(), source)
            if why is not None:
                errors.append(f"{target} reads {line.strip()}: {why}")
    if count < 20:
        errors.append(f"only {count} objects of rooms were found in Ninja's log: this check sees nothing")
    wrong = [("raft", f"{source}/proto/value.h"), ("workflow", f"{source}/node/replica.h"), ("workflow", "/usr/include/lmdb.h"),
             ("proto", "/usr/include/nng/nng.h"), ("raft", "/usr/include/time.h"), ("wire", f"{source}/client/core.h")]
    for fixture_room, header in wrong:
        if judge_include(fixture_room, header, source) is None:
            errors.append(f"the wrong fixture ({fixture_room} reading {header}) is allowed: this check sees nothing")
    return errors


def undefined(paths):
    symbols, defined = set(), set()
    for path in paths:
        for line in run("nm", "--no-sort", str(path)).stdout.splitlines():
            fields = line.split()
            if len(fields) == 2 and fields[0] in ("U", "w"):
                symbols.add(fields[1].split("@")[0])
            elif len(fields) == 3 and fields[1] in "TDBRVWC":
                defined.add(fields[2])
    return symbols - defined, defined


def judge_symbols(room, wanted, provided):
    return sorted(name for name in wanted - provided if not re.fullmatch(ALLOWED_SYMBOLS[room] + "|" + COMPILER_HELPERS, name))


def check_symbols(build, source):
    found = archives(build)
    errors = []
    for room in ("raft", "workflow"):
        wanted, _ = undefined(found[room])
        provided = set()
        for other in ARROWS[room][0]:
            provided |= undefined(found[other])[1]
        for name in judge_symbols(room, wanted, provided):
            errors.append(f"{room} takes {name} from outside, which is not on its list")
    for room in ("raft", "workflow"):
        for name in ("clock_gettime", "rand", "getenv", "printf", "pthread_create", "setlocale"):
            if not judge_symbols(room, {name}, set()):
                errors.append(f"the wrong fixture ({room} calling {name}) is allowed: this check sees nothing")
    return errors


def main():
    checks = {"links": check_links, "includes": check_includes, "symbols": check_symbols}
    check, build, source = sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), pathlib.Path(sys.argv[3]).resolve()
    errors = checks[check](build, source)
    for error in errors:
        print(error)
    print(f"{check}: {len(errors)} wrong arrows")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
