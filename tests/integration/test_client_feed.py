"""The client's feed of events from a running service, and through a way that cuts it off."""

import httpx
import pytest
from whole_service import KEY, WholeService

from palimpsest.client import Client

pytestmark = pytest.mark.slow


class Cutting(httpx.HTTPTransport):
    """A way to the service on which every answer breaks off after its second event."""

    def __init__(self) -> None:
        super().__init__()
        self.resumed: list[str | None] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.resumed.append(request.headers.get("Last-Event-ID"))
        answer = super().handle_request(request)
        return httpx.Response(
            answer.status_code, headers=answer.headers, stream=_Cut(answer), request=request
        )


class _Cut(httpx.SyncByteStream):
    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer

    def __iter__(self):  # type: ignore[no-untyped-def]
        events = 0
        for chunk in self._answer.stream:  # type: ignore[union-attr]
            yield chunk
            events += chunk.count(b"\ndata:")
            if events >= 2:
                raise httpx.ReadError("cut off")

    def close(self) -> None:
        self._answer.close()


def test_events_come_as_they_happen_up_to_the_final_one(service: WholeService) -> None:
    with Client(str(service.api.base_url), api_key=KEY) as client:
        edit = client.edits.create({"prompt": "The capital of France is", "target_new": "Europe"})
        heard = tuple(client.edits.events(edit.id))

        assert heard == client.edits.history(edit.id)
        assert heard[-1].type == client.edits.get(edit.id).status == "succeeded"
        assert list(client.edits.events(edit.id, after=heard[-2].id)) == [heard[-1]]
        assert list(client.edits.events(edit.id, after=heard[-1].id)) == []


def test_a_feed_that_is_cut_off_again_and_again_is_heard_whole(service: WholeService) -> None:
    edit_id = service.edit("The capital of France is", "Europe")["id"]
    way = Cutting()

    with Client(str(service.api.base_url), api_key=KEY, transport=way) as client:
        heard = tuple(client.edits.events(edit_id))

    with Client(str(service.api.base_url), api_key=KEY) as client:
        assert heard == client.edits.history(edit_id)
    assert len(way.resumed) > 2 and way.resumed[1] is not None
