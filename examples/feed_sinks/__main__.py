"""`python -m feed_sinks webhook LEDGER --to URL --cursor FILE`, and `topic` likewise."""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import sys
from threading import Event as Signal

from prakerja_ledger import Ledger, PrakerjaLedgerError

from .cursor import Cursor, CursorTaken, OtherLedger
from .running import to_topic, to_webhook
from .topic import FileTopic, KafkaTopic, NotDelivered
from .webhook import NotNow, RefusedForGood, Webhook

FAULTS = (NotNow, NotDelivered, CursorTaken, OtherLedger, PrakerjaLedgerError, sqlite3.Error)


def main() -> int:
    asked = _arguments()
    until = None if asked.once else _until_asked_to_end()
    try:
        with (
            Ledger.open(asked.ledger, create=False) as ledger,
            Cursor(asked.cursor, ledger) as cursor,
        ):
            if asked.sink == "webhook":
                with Webhook(asked.to, os.environ["FEED_SECRET"]) as webhook:
                    to_webhook(ledger, cursor, webhook.send, until)
            else:
                topic = (
                    FileTopic(asked.file) if asked.file else KafkaTopic(asked.topic, asked.kafka)
                )
                to_topic(ledger, cursor, topic, until)
    except RefusedForGood as error:  # somebody has to look: starting again does not help
        print(error, file=sys.stderr)
        return 3
    except FAULTS as error:  # start again: it goes on where it was
        print(error, file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("ledger", metavar="LEDGER", help="the ledger's URL")
    common.add_argument("--cursor", required=True, metavar="FILE")
    common.add_argument("--once", action="store_true", help="end when everything was sent")
    parser = argparse.ArgumentParser(prog="feed_sinks", description=__doc__)
    sinks = parser.add_subparsers(dest="sink", required=True)
    webhook = sinks.add_parser("webhook", parents=[common])
    webhook.add_argument("--to", required=True, metavar="URL")
    topic = sinks.add_parser("topic", parents=[common])
    topic.add_argument("--topic", default="prakerja-events")
    where = topic.add_mutually_exclusive_group(required=True)
    where.add_argument("--kafka", metavar="SERVERS")
    where.add_argument("--file", metavar="FILE")
    return parser.parse_args()


def _until_asked_to_end() -> Signal:
    until = Signal()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: until.set())
    return until


if __name__ == "__main__":
    sys.exit(main())
