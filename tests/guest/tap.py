"""TAP output for tests of whole guests: each check is one line, a failure shows the console's end.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

import console


class Skip(Exception):
    """What a test needs is not to be had on this host; the message says what."""


class Tap:
    def __init__(self):
        self.count = 0
        self.failures = 0
        self.lock = threading.Lock()  # guests() runs several at once

    def ok(self, condition, name, why=""):
        with self.lock:
            self.count += 1
            if not condition:
                self.failures += 1
                for line in str(why).splitlines():
                    print("# " + line)
            print("%sok %d - %s" % ("" if condition else "not ", self.count, name))
            sys.stdout.flush()
        return bool(condition)

    def skip(self, name, why):
        with self.lock:
            self.count += 1
            print("ok %d - %s # SKIP %s" % (self.count, name, why))
            sys.stdout.flush()

    def check(self, name, function, *args, guest_log=True):
        """Runs FUNCTION; it fails by raising."""
        try:
            function(*args)
        except Exception as error:  # pylint: disable=broad-except
            why = str(error) if isinstance(error, console.Failure) else traceback.format_exc()
            return self.ok(False, name, why)
        return self.ok(True, name)

    def guest(self, name, function, *args, **kwargs):
        """Starts a Guest with ARGS, runs FUNCTION(guest), and kills it; the console is kept in
        $BUILD/logs/NAME.console."""
        guest = None
        try:
            guest = console.Guest(*args, **kwargs)
            function(guest)
            error = None
        except Skip as why:
            guest.kill()
            self.skip(name, str(why))
            return True
        except Exception as caught:  # pylint: disable=broad-except
            error = str(caught) if isinstance(caught, console.Failure) else traceback.format_exc()
        if guest:
            guest.kill()
            os.makedirs(os.path.join(console.BUILD, "logs"), exist_ok=True)
            safe = "".join(c if c.isalnum() else "-" for c in name)
            with open(os.path.join(console.BUILD, "logs", safe + ".console"), "w") as log:
                log.write(" ".join(guest.command) + "\n" + guest.text)
            if error:
                error += "\ncommand: " + " ".join(guest.command)
                error += "\nend of the console:\n" + "\n".join(guest.text.splitlines()[-25:])
        return self.ok(not error, name, error)

    def guests(self, cases, jobs=2):
        """guest() for each (name, function, args) of CASES, JOBS of them at once."""
        with ThreadPoolExecutor(jobs) as pool:
            for run in [pool.submit(self.guest, *case) for case in cases]:
                run.result()

    def done(self):
        print("1..%d" % self.count)
        return 0
