"""What a measuring process may do but answer; here, since a new process must be able to import it."""

from ncfl.common.errors import InputError


def exit_without_an_answer(sender, name, settings):
    raise SystemExit(7)


def answer_with_a_refusal(sender, name, settings):
    sender.send(InputError("no such thing"))
