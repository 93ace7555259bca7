"""What a pack says to whoever opens it, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prakerja_ledger.domain.time import in_utc
from prakerja_ledger.evidence.note import Verifier
from prakerja_ledger.interfaces.pack.manifest import BACA, README
from prakerja_ledger.reading.view import View

_ENGLISH: Final = """\
# An auditor's pack of {log}

{events} events, with the statements and findings that follow from them as of {view}. The history is
whole: it holds what happened after that day, too. {quarantined} lines of its source were quarantined, and are not in it.
Made with prakerja-ledger {release}.

## What is in it

| file | what |
| --- | --- |
| `history.jsonl.gz` | every recorded event as it came, in the order of recording: CloudEvents, one a line |
| `history.parquet` | the same lines in columns, sorted by participant |
| `statements.jsonl.gz` | what each participant is owed, was paid, and why the rest is not |
| `findings.jsonl.gz` | facts that break a rule |
| `schemes.json` | the numbers and the holidays that both were worked out with |
| `checkpoint` | the size and the root hash of the history, signed (C2SP tlog-checkpoint) |
| `leaves` | the hash of every event, by which a break is told to the event |
| `manifest.json`, `manifest.note` | SHA-256 of every file, and the signature of that |
| `verify.py` | checks all this with Python and the package `cryptography`, and nothing else |

## Check it

Ask the programme office for its verifier key **by another way than this file**: the key below is what
the pack says of itself, and whoever changes a pack can change that too.

    {key}

    python3 -m zipfile -e PACK.zip pack
    python3 pack/verify.py PACK.zip --verifier 'KEY'

With the package itself, which works out statements and findings anew:

    prakerja-ledger verify PACK.zip --verifier 'KEY'

Any command reads the pack as a source: `prakerja-ledger audit PACK.zip --as-of {day}`.

## What a signature shows, and what it does not

That nobody has changed the pack since the holder of the key made it. Not that the holder told everything:
whether the end of a history was cut off, or two parties were shown two histories, shows only a checkpoint
that was kept elsewhere. Keep `checkpoint`, and hold the next pack against it:

    prakerja-ledger verify NEXT.zip --checkpoint pack/checkpoint --verifier 'KEY'

The histories name participants by random ids. They are personal data all the same.
"""
_INDONESIAN: Final = """\
# Paket auditor untuk {log}

{events} peristiwa, beserta pernyataan dan temuan yang diturunkan darinya per {view}. Riwayatnya utuh:
peristiwa setelah hari itu juga ada. {quarantined} baris sumber dikarantina dan tidak ada di dalamnya.
Dibuat dengan prakerja-ledger {release}.

## Isi

| berkas | isi |
| --- | --- |
| `history.jsonl.gz` | setiap peristiwa yang tercatat seperti diterima, menurut urutan pencatatan: CloudEvents, satu per baris |
| `history.parquet` | baris yang sama dalam kolom, diurutkan menurut peserta |
| `statements.jsonl.gz` | hak setiap peserta, yang sudah dibayar, dan mengapa sisanya belum |
| `findings.jsonl.gz` | fakta yang melanggar aturan |
| `schemes.json` | angka dan hari libur yang dipakai untuk menghitung keduanya |
| `checkpoint` | ukuran dan hash akar riwayat, ditandatangani (C2SP tlog-checkpoint) |
| `leaves` | hash setiap peristiwa, untuk menunjuk peristiwa yang berubah |
| `manifest.json`, `manifest.note` | SHA-256 setiap berkas, beserta tanda tangannya |
| `verify.py` | memeriksa semuanya hanya dengan Python dan paket `cryptography` |

## Cara memeriksa

Mintalah kunci verifikasi kepada kantor program **melalui jalur lain, bukan dari berkas ini**: kunci di
bawah hanyalah pengakuan paket ini sendiri, dan siapa pun yang mengubah paket dapat mengubahnya juga.

    {key}

    python3 -m zipfile -e PAKET.zip paket
    python3 paket/verify.py PAKET.zip --verifier 'KUNCI'

Dengan paket prakerja-ledger sendiri, yang menghitung ulang pernyataan dan temuan:

    prakerja-ledger verify PAKET.zip --verifier 'KUNCI' --lang id

Setiap perintah membaca paket ini sebagai sumber: `prakerja-ledger audit PAKET.zip --as-of {day}`.

## Apa yang dibuktikan tanda tangan, dan apa yang tidak

Bahwa tidak ada yang mengubah paket sejak pemegang kunci membuatnya. Bukan bahwa pemegang kunci sudah
menyampaikan semuanya: apakah ujung riwayat dipotong, atau dua pihak diperlihatkan dua riwayat yang berbeda,
hanya tampak dari checkpoint yang disimpan di tempat lain. Simpanlah `checkpoint`, lalu bandingkan paket
berikutnya dengannya:

    prakerja-ledger verify BERIKUTNYA.zip --checkpoint paket/checkpoint --verifier 'KUNCI'

Riwayat menyebut peserta dengan id acak. Data itu tetap data pribadi.
"""


_NUMBERS: Final = ("events", "quarantined")


def readmes(
    verifier: Verifier, view: View, events: int, quarantined: int, release: str
) -> Mapping[str, str]:
    """Both files by name."""
    known = "" if view.known_at is None else f", known at {in_utc(view.known_at)}"
    said = {
        "log": verifier.name,
        "events": f"{events:,}",
        "release": release,
        "key": str(verifier),
        "quarantined": f"{quarantined:,}",
        "day": view.as_of.isoformat(),
    }
    return {
        README: _ENGLISH.format(view=f"{view.as_of}{known}", **said),
        BACA: _INDONESIAN.format(
            view=f"{view.as_of}{known.replace('known at', 'sebagaimana diketahui pada')}",
            **{
                name: said[name].replace(",", ".") if name in _NUMBERS else said[name]
                for name in said
            },
        ),
    }
