"""Key pairs for a lab's servers and for whoever logs in to them."""

from pathlib import Path


def generate(file: Path) -> str:
    """Write a private key, and its public one beside it; the public key: `kind base64`."""
    import paramiko

    key = paramiko.ECDSAKey.generate()
    key.write_private_key_file(str(file))  # with mode 0600
    public = f"{key.get_name()} {key.get_base64()}"
    file.with_name(f"{file.name}.pub").write_text(f"{public} multiall-lab\n", "ascii")
    return public
