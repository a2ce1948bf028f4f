"""Every knob of the gateway: type, default, meaning. Read once, in ``app.py``; environment ``FHIR_GATEWAY_<NAME>``."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Frozen after start-up; ``fhir-gateway settings`` prints this table with the values in force."""

    model_config = SettingsConfigDict(env_prefix="FHIR_GATEWAY_", frozen=True, extra="ignore")

    name: str = Field(default="quang-ninh", description="name of this gateway in the directory of partners")
    data: Path = Field(
        default=Path("data"), description="folder for keys and, without mongo_url, the embedded database"
    )
    mongo_url: SecretStr | None = Field(
        default=None, description="MongoDB replica set; unset starts the embedded engine"
    )
    database: str = Field(default="fhir_gateway", description="database name on MongoDB")
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="HTTP port; 0 picks a free one")
    workers: int = Field(default=1, ge=1, le=64, description="processes that serve requests on the port")
    base_url: str | None = Field(default=None, description="public address, where it differs from http://host:port")
    mllp: str | None = Field(
        default=None, description="[hospital@]host:port of an MLLP listener, several with commas; unset: none"
    )
    mllp_certificate: Path | None = Field(default=None, description="PEM certificate and key: MLLP over TLS")
    mllp_client_ca: Path | None = Field(
        default=None, description="PEM CA that MLLP clients must present a certificate of"
    )
    watch: str | None = Field(
        default=None, description="hospital=DIR[,hospital=DIR]: folders whose files are taken as messages; unset: none"
    )
    hospitals: Path | None = Field(
        default=None, description="folder of hospital TOML files; unset: the three of the province"
    )
    clients: Path | None = Field(
        default=None, description="folder of client TOML files (hospitals, doctors, authorities); default DATA/clients"
    )
    partners: Path | None = Field(
        default=None, description="folder of partner TOML files (other gateways); default DATA/partners"
    )
    organization: str | None = Field(
        default=None, description="identifier value of the facility that runs this gateway"
    )
    development_clients: bool = Field(default=True, description="serve the built-in clients with keys under DATA/keys")
    origins: str = Field(
        default="",
        description="web applications whose scripts may call (CORS), as https://app.hospital.vn; * for any",
    )
    token_seconds: int = Field(default=300, ge=30, le=3600, description="life of an access token")
    message_limit: int = Field(default=10 * 2**20, description="bytes of one ingested message")
    backlog_limit: int = Field(
        default=10_000, ge=1, description="messages of one hospital that may wait; beyond it its doors say later"
    )
    translate_seconds: float = Field(
        default=60.0, gt=0, description="longest translation of one message; then it is quarantined"
    )
    resource_limit: int = Field(default=12 * 2**20, description="bytes of one FHIR request body")
    page_size: int = Field(default=20, ge=1, le=1000, description="resources on a search page when _count is not given")
    page_limit: int = Field(default=1000, ge=1, description="largest _count honoured")
    deletion_limit: int = Field(
        default=1, ge=1, description="resources that one conditional delete may meet; 1 declares it as single"
    )
    hide_secrets: bool = Field(
        default=True, description="records labelled as secret are seen by their own hospital and its grantees alone"
    )
    chain_limit: int = Field(default=1000, ge=1, description="records that a chain in a search may lead through")
    scan_limit: int = Field(
        default=100_000, ge=1, description="records that a search which no index narrows may look at"
    )
    text_index: str = Field(
        default="",
        description="types whose narratives _text finds by an index, as Composition,DiagnosticReport; * for all",
    )
    wait_seconds: float = Field(default=30.0, description="longest ?wait=true on an ingest")
    lease_seconds: float = Field(default=10.0, description="how long a worker may hold a message or a delivery")
    retry_seconds: float = Field(default=1.0, description="first delay of a failed delivery; doubles each time")
    retry_limit_seconds: float = Field(default=3600.0, description="longest delay between two tries of a delivery")
    import_folder: Path | None = Field(default=None, description="folder whose files $import may name; unset: none")
    import_limit: int = Field(default=4 * 2**30, description="bytes of NDJSON that one $import may send")
    bulk_hours: float = Field(default=24.0, gt=0, description="how long the files of a finished bulk job are kept")
    subscription_days: int = Field(default=30, ge=1, description="how long events of subscriptions are kept")
    subscription_hosts: str = Field(
        default="",
        description="hosts that notifications may go to, as *.hospital.vn,his.example:8443; loopback in development",
    )
    feed_seconds: float = Field(default=60.0, gt=0, description="pause between two looks at the feeds of the hospitals")
    silence_minutes: float = Field(
        default=60.0, gt=0, description="shortest silence of a feed that can raise an alarm, whatever its habit"
    )
    journal_limit: int = Field(
        default=64 * 2**20,
        ge=2**20,
        description="bytes of AuditEvents that may wait in a process for the database; beyond it nothing is answered",
    )
    seal_seconds: float = Field(default=1.0, description="pause between two runs of the audit sealer")
    log_format: Literal["json", "text"] = Field(default="json", description="one JSON object a line, or readable text")
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING, ERROR")
