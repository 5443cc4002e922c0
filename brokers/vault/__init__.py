"""The vault: credentials sealed at rest and in memory, under a master key from keyring, passphrase or key file."""

from brokers.vault.errors import VaultError as VaultError
from brokers.vault.private import by_file_lock as by_file_lock
from brokers.vault.records import Credential as Credential
from brokers.vault.records import CredentialId as CredentialId
from brokers.vault.sealing import SYSTEM_ENTROPY as SYSTEM_ENTROPY
from brokers.vault.unlock import Keyholder as Keyholder
from brokers.vault.unlock import KeySource as KeySource
from brokers.vault.unlock import standard_sources as standard_sources
from brokers.vault.vault import Vault as Vault
from brokers.vault.vault import VaultStatistics as VaultStatistics
