"""Verify X-Versioner-Signature: HMAC-SHA256 over the body, exactly as it was received."""

import hashlib
import hmac
import sys


def is_from_versioner(body: bytes, signature: str, secret: str) -> bool:
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, signature)


# Try it out: python3 verify_webhook.py SIGNATURE SECRET < body
if __name__ == "__main__":
    genuine = is_from_versioner(sys.stdin.buffer.read(), sys.argv[1], sys.argv[2])
    print("genuine" if genuine else "forged")
    sys.exit(0 if genuine else 1)
