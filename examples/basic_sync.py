"""The shortest useful script: log in once, resume ever after."""

from _sandbox import account

from interpal import InterpalClient


def main(username: str, password: str) -> None:
    with InterpalClient(
        username=username,
        password=password,
        auto_login=True,
        persist_session=True,
    ) as client:
        profile = client.get_self()
        print(f"Hello, {profile['name']} from {profile.get('city', 'somewhere')}.")

        info = client.get_session_info()
        if info:
            print(f"The session in {info['path']} ends in {info['time_remaining']}.")


if __name__ == "__main__":
    with account() as (username, password):
        main(username, password)
