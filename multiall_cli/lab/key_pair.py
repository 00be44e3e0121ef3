"""Key pairs for a lab's servers and users."""

from pathlib import Path


def generate(file: Path) -> str:
    """Write a private key and, beside it, its public key; return the public key: `kind base64`."""
    import paramiko

    key = paramiko.ECDSAKey.generate()
    key.write_private_key_file(str(file))  # with mode 0600
    public = f"{key.get_name()} {key.get_base64()}"
    file.with_name(f"{file.name}.pub").write_text(f"{public} multiall-lab\n", "ascii")
    return public
