"""Mirrors the rooms of a Signalpost server into a JSON file: see README.md here for the file's form.

    pip install --require-hashes --requirement examples/requirements.txt
    mkdir stubs
    python -m grpc_tools.protoc --proto_path proto --python_out stubs --grpc_python_out stubs proto/signalpost/admin/v1/*.proto
    PYTHONPATH=stubs python examples/mirror.py localhost:50051 rooms.json
"""

import json
import os
import sys
import time

import grpc
from signalpost.admin.v1 import admin_pb2_grpc, event_pb2

# What followed the cursor is gone (CURSOR_EXPIRED, EPOCH_CHANGED), or the server never gave it out: take a snapshot.
RELIST = {grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.INVALID_ARGUMENT}
# Pings find out that a server is gone which could not say so.
OPTIONS = [("grpc.keepalive_time_ms", 20_000), ("grpc.max_reconnect_backoff_ms", 5_000)]
NOTHING = {"cursor": "", "rooms": {}}


def main(address, path):
    state = load(path) if os.path.exists(path) else NOTHING
    pause = 0.1
    with grpc.insecure_channel(address, OPTIONS) as channel:
        admin = admin_pb2_grpc.AdminServiceStub(channel)
        while True:
            try:
                for state in follow(admin, state):
                    save(path, state)
                    pause = 0.1
            except grpc.RpcError as error:
                if error.code() in RELIST:
                    state = NOTHING
            time.sleep(pause)
            pause = min(2 * pause, 5)


def follow(admin, state):
    """Yields the rooms after each message, with the cursor that stands for them."""
    rooms = state["rooms"] if state["cursor"] else {}
    start = {"cursor": state["cursor"]} if state["cursor"] else {"snapshot": True}
    for message in admin.WatchEvents(event_pb2.WatchEventsRequest(**start)):
        what = message.WhichOneof("what")
        if what == "snapshot":
            for room in message.snapshot.rooms:
                # A room with very many members comes in several parts.
                mirrored = rooms.setdefault(room.room_id, {"members": []} | settings(room))
                seat(mirrored, *(member.client_id for member in room.members))
        elif what == "event":
            apply(rooms, message.event)
        # Between two parts of a snapshot there is nothing to come back to.
        if message.cursor:
            yield {"cursor": message.cursor, "rooms": rooms}


def apply(rooms, event):
    what = event.WhichOneof("what")
    if what == "created":
        rooms[event.room_id] = {"members": []} | settings(event.created.settings)
    elif what == "joined":
        seat(rooms[event.room_id], event.joined.member.client_id)
    elif what == "left":
        rooms[event.room_id]["members"].remove(event.left.client_id)
    elif what in ("locked", "unlocked"):
        rooms[event.room_id]["locked"] = what == "locked"
    elif what == "room_updated":
        rooms[event.room_id] |= settings(event.room_updated.settings)
    elif what == "closed":
        del rooms[event.room_id]
    # Of names, roles, lobbies and bans there is nothing in the file; and later servers have further events.


def seat(room, *client_ids):
    room["members"] = sorted({*room["members"], *client_ids})


def settings(of):
    return {name: getattr(of, name) for name in ("max_members", "locked", "metadata_json")}


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def save(path, state):
    """Rooms and cursor in one write, so that they are of the same moment whenever this process is killed."""
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(state, file)
    os.replace(f"{path}.new", path)


main(*sys.argv[1:])
