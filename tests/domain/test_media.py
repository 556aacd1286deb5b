"""Documents and recordings: what the bytes are, and how much there is of them at most."""

import zlib
from base64 import b64encode

import pytest
from llm_gateway.domain.media import audio_s, fault_in_audio, fault_in_pdf, pdf_pages


def b64(data: bytes) -> str:
    return b64encode(data).decode()


def wav(*, seconds: int, bytes_per_s: int = 32_000) -> bytes:
    samples = b"\0" * (seconds * bytes_per_s)
    form = (
        b"fmt \x10\0\0\0\x01\0\x01\0"
        + (16_000).to_bytes(4, "little")
        + bytes_per_s.to_bytes(4, "little")
        + b"\x02\0\x10\0"
    )
    return (
        b"RIFF"
        + (36 + len(samples)).to_bytes(4, "little")
        + b"WAVE"
        + form
        + b"data"
        + len(samples).to_bytes(4, "little")
        + samples
    )


PAGE = b"3 0 obj << /Type /Page /Parent 2 0 R /Contents 4 0 R /MediaBox [0 0 612 792] >> endobj\n"


def test_a_pdf_is_known_by_its_mark() -> None:
    assert fault_in_pdf(b64(b"%PDF-1.7\n")) is None
    assert fault_in_pdf(b64(b"\xef\xbb\xbf junk %PDF-1.4")) is None
    assert "PDF" in str(fault_in_pdf(b64(b"PK\x03\x04 a docx")))
    assert "PDF" in str(fault_in_pdf(b64(b" " * 2000 + b"%PDF-1.4")))
    assert fault_in_pdf("JVBERi0 ") == "is not base64"
    assert fault_in_pdf("\N{OWL}") == "is not base64"


@pytest.mark.parametrize(("kind", "data"), [("wav", wav(seconds=1)), ("mp3", b"ID3\x04"), ("mp3", b"\xff\xfb\x90\0")])
def test_a_recording_is_known_by_its_mark(kind, data: bytes) -> None:
    other = "mp3" if kind == "wav" else "wav"
    assert fault_in_audio(b64(data), kind) is None
    assert fault_in_audio(b64(data), other) is not None
    assert fault_in_audio(b64(data)[:-1] + "?", kind) == "is not base64"


def test_pages_are_counted_in_the_open() -> None:
    assert pdf_pages(b64(b"%PDF-1.4\n" + PAGE * 7 + b"<< /Type /Pages /Count 7 >>")) == 7


def test_pages_are_counted_where_they_are_packed() -> None:
    pages = b" ".join(b"<< /Type /Page /Id <%032x> >>" % (number * 7**40) for number in range(40))
    packed = zlib.compress(pages, level=9)
    head = b"%PDF-1.5\n9 0 obj << /Type /ObjStm /N 40 /First 20 /Filter /FlateDecode /Length 99 >> stream\n"
    assert pdf_pages(b64(head + packed + b"\nendstream endobj")) == 40


def test_a_document_that_hides_its_pages_has_one() -> None:
    assert pdf_pages(b64(b"%PDF-1.4")) == 1
    assert pdf_pages(b64(b"%PDF-1.4 /ObjStm >> stream\nnot packed")) == 1
    assert pdf_pages("?") == 1


def test_a_document_cannot_say_that_it_has_more_pages_than_bytes() -> None:
    assert pdf_pages(b64(b"%PDF-1.4 << /Type /Pages /Count 9999999 >>" + b" " * 1000)) < 120


def test_what_is_unpacked_is_bounded() -> None:
    bomb = zlib.compress(b"/Type /Page\0" * 2_000_000)
    document = b"%PDF-1.5\n" + (b"<< /Type /ObjStm >> stream\n" + bomb) * 20
    assert pdf_pages(b64(document)) <= len(document) // 10


@pytest.mark.parametrize(
    "unit", [b"/ObjStm stream\n", b"/ObjStm", b"/ObjStm stream\n\x78\x9c", b"/ObjStm stream\n" + zlib.compress(b"x")]
)
def test_a_document_of_nothing_but_beginnings_is_read_a_few_times_at_most(unit: bytes) -> None:
    document = b"%PDF-1.5\n" + PAGE + unit * (3_000_000 // len(unit))
    assert pdf_pages(b64(document)) == 1


def test_a_stream_that_ends_too_early_has_the_pages_before_its_end() -> None:
    pages = b" ".join(b"<< /Type /Page /Id <%032x> >>" % (number * 7**40) for number in range(400))
    packed = zlib.compress(pages)
    head = b"%PDF-1.5\n<< /Type /ObjStm >> stream\n"
    assert 100 < pdf_pages(b64(head + packed[: len(packed) // 2] + b"\0" * 4_000)) < 400


def test_a_recording_that_says_it_is_faster_than_its_samples_is_not_believed() -> None:
    data = bytearray(wav(seconds=12))
    data[28:32] = b"\xff\xff\xff\xff"
    assert audio_s(b64(bytes(data)), "wav") > 12


def test_the_length_of_a_recording() -> None:
    assert audio_s(b64(wav(seconds=12)), "wav") == pytest.approx(12, rel=0.01)
    assert audio_s(b64(b"RIFF\0\0\0\0WAVE" + b"\0" * 16_000), "wav") == pytest.approx(2, rel=0.01)
    assert audio_s(b64(b"ID3" + b"\0" * 5_000), "mp3") == pytest.approx(5, rel=0.01)
