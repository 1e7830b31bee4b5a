"""Files, recordings, pictures, batches and realtime pass as the official SDKs send and expect them."""

import json
from pathlib import Path

import anthropic
import openai
import pytest

from stack import CLIENT_KEY, PROVIDER_KEY

RECORDING = bytes(range(256)) * 16


def headers_of(request):
    return {name.lower(): value for name, value in request["headers"].items()}


def test_a_file_is_uploaded_found_read_listed_and_deleted(connect, simulator):
    client = connect()
    uploaded = client.files.create(file=("tides.bin", RECORDING), purpose="user_data")
    assert uploaded.bytes == len(RECORDING)
    assert uploaded.filename == "tides.bin"
    assert client.files.retrieve(uploaded.id).id == uploaded.id
    assert client.files.content(uploaded.id).read() == RECORDING
    assert [file.id for file in client.files.list()] == [uploaded.id]
    assert client.files.delete(uploaded.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(uploaded.id)

    for request in simulator.requests():
        headers = json.dumps(request["headers"])
        assert PROVIDER_KEY in headers
        assert CLIENT_KEY not in headers


def test_spoken_text_is_the_providers_bytes(connect):
    client = connect()
    spoken = client.audio.speech.create(model="tts-1", voice="alloy", input="The tide is in.").read()
    with client.audio.speech.with_streaming_response.create(model="tts-1", voice="alloy", input="The tide is in.") as again:
        assert again.headers["content-type"] == "audio/mpeg"
        assert b"".join(again.iter_bytes()) == spoken
    assert spoken.startswith(b"ID3")
    assert len(spoken) > 1000


def test_a_recording_is_written_down(connect):
    create = connect().audio.transcriptions.create
    recording = ("tides.wav", RECORDING)
    whole = create(model="gpt-4o-transcribe", file=recording)
    assert whole.text == f"A recording of {len(RECORDING)} bytes."
    assert whole.usage.total_tokens > 0
    assert create(model="whisper-1", file=recording, response_format="text").strip() == whole.text
    events = list(create(model="gpt-4o-transcribe", file=recording, stream=True))
    assert [event.type for event in events] == ["transcript.text.delta", "transcript.text.done"]
    assert events[-1].text == whole.text


def test_pictures_are_made_and_changed(connect):
    client = connect()
    made = client.images.generate(model="gpt-image-1", prompt="The sea.", n=2)
    assert len(made.data) == 2
    assert made.usage.output_tokens == 200
    changed = client.images.edit(model="gpt-image-1", prompt="A calmer sea.", image=("sea.png", RECORDING))
    assert changed.data[0].b64_json == made.data[0].b64_json
    assert changed.usage.input_tokens_details.image_tokens == len(RECORDING)


def test_a_batch_is_begun_found_listed_and_cancelled(connect):
    client = connect()
    prompts = client.files.create(file=("prompts.jsonl", b"{}\n"), purpose="batch")
    batch = client.batches.create(input_file_id=prompts.id, endpoint="/v1/chat/completions", completion_window="24h")
    assert client.batches.retrieve(batch.id).input_file_id == prompts.id
    assert [known.id for known in client.batches.list()] == [batch.id]
    assert client.batches.cancel(batch.id).status == "cancelling"
    with pytest.raises(openai.NotFoundError):
        client.batches.retrieve("batch_of_nobody")


def test_anthropics_batches_and_files_pass(connect_anthropic, simulator):
    client = connect_anthropic()
    message = {"model": "claude-sonnet-4-5", "max_tokens": 10, "messages": [{"role": "user", "content": "Tides?"}]}
    batch = client.messages.batches.create(requests=[{"custom_id": "a", "params": message}])
    assert batch.request_counts.processing == 1
    assert client.messages.batches.retrieve(batch.id).processing_status == "in_progress"
    assert [known.id for known in client.messages.batches.list()] == [batch.id]
    assert client.messages.batches.cancel(batch.id).processing_status == "canceling"
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve("msgbatch_of_nobody")

    uploaded = client.beta.files.upload(file=("tides.bin", RECORDING))
    assert client.beta.files.retrieve_metadata(uploaded.id).size_bytes == len(RECORDING)
    assert client.beta.files.download(uploaded.id).read() == RECORDING
    assert client.beta.files.delete(uploaded.id).type == "file_deleted"
    assert all(headers_of(request)["x-api-key"] == PROVIDER_KEY for request in simulator.requests())


def test_a_conversation_in_real_time_is_a_tunnel(connect, simulator):
    with connect().realtime.connect(model="gpt-realtime") as connection:
        connection.send({"type": "session.update", "session": {"type": "realtime", "instructions": "Talk of tides."}})
        back = json.loads(connection.recv_bytes())
    assert back["session"]["instructions"] == "Talk of tides."
    (request,) = simulator.requests()
    assert request["uri"].endswith("/realtime?model=gpt-realtime")
    assert headers_of(request)["authorization"] == f"Bearer {PROVIDER_KEY}"


def test_a_large_upload_is_not_held_in_memory(connect, stack):
    client = connect(timeout=120)
    client.files.create(file=("small.bin", RECORDING), purpose="user_data")
    before = peak_memory(stack)
    uploaded = client.files.create(file=("large.bin", RECORDING * (50 << 8)), purpose="user_data")
    assert uploaded.bytes == 50 << 20
    assert peak_memory(stack) - before < 16 << 20


def peak_memory(stack):
    """The most that the gateway has held so far, in bytes."""
    status = Path(f"/proc/{stack.gateway.process.pid}/status")
    if not status.exists():
        pytest.skip("this system does not tell")
    peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) << 10
