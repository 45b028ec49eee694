"""Several accounts: all in one encrypted file, or a file for each."""

from _sandbox import accounts

from interpal import AmbiguousAccountError, InterpalClient


def one_file_for_all(people: dict[str, str]) -> None:
    print("One file for all:")
    for username, password in people.items():
        with InterpalClient(
            username, password, auto_login=True, persist_session=True, session_file="team.json"
        ) as client:
            print(f"  {username} is {client.get_self()['name']}")


def who_is_meant() -> None:
    """Without a username, a file of several accounts is not guessed about."""
    try:
        with InterpalClient(persist_session=True, session_file="team.json") as client:
            print(f"Only one account: {client.get_self()['username']}")
    except AmbiguousAccountError as error:
        print(f"Without a username: one of {', '.join(error.accounts)}?")


def a_file_for_each(people: dict[str, str]) -> None:
    print("A file for each:")
    for username, password in people.items():
        file = f"{username}_session.json"
        with InterpalClient(
            username, password, auto_login=True, persist_session=True, session_file=file
        ) as client:
            info = client.get_session_info()
            print(f"  {file} holds {info['username'] if info else 'nothing'}")


if __name__ == "__main__":
    with accounts() as people:
        one_file_for_all(people)
        who_is_meant()
        a_file_for_each(people)
