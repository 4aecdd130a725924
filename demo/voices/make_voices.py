"""Makes the two voices of the demo: 6 s of speech each, as a browser would send it.

    python demo/voices/make_voices.py

needs espeak-ng and ffmpeg with libopus. Nobody has to run it: the files are committed, because the
demo must work where neither is installed. 20 ms packets of constant 32 kbit/s, mono, no DTX.
"""

import subprocess
from pathlib import Path

SECONDS = 6
SPEECHES = {
    "arcadia.opus": (
        "en-gb+m3",
        "Good morning, Prime Minister. Our ships will keep clear of the strait until Friday noon.",
    ),
    "borealis.opus": (
        "en-us+f4",
        "Good morning, Mister President. We note Friday noon. Our patrol will stay in harbour.",
    ),
}


def make_voice(path: Path, voice: str, text: str) -> None:
    """Speak `text` into an Ogg Opus file of exactly SECONDS."""
    speech = subprocess.run(
        ["espeak-ng", "-v", voice, "-s", "175", "--stdout", text], check=True, capture_output=True
    )
    trim = f"silenceremove=start_periods=1:start_threshold=-50dB,apad=whole_dur={SECONDS}"
    codec = ["-c:a", "libopus", "-application", "voip", "-b:a", "32k", "-vbr", "off"]
    command = ["ffmpeg", "-v", "error", "-y", "-i", "-", "-af", trim, "-t", str(SECONDS)]
    command += ["-ar", "48000", "-ac", "1", *codec, "-fflags", "+bitexact", "-flags:a", "+bitexact"]
    command += ["-map_metadata", "-1", "-f", "opus", str(path)]
    subprocess.run(command, input=speech.stdout, check=True)


def main() -> None:
    """Make both."""
    for name, (voice, text) in SPEECHES.items():
        make_voice(Path(__file__).parent / name, voice, text)


if __name__ == "__main__":
    main()
