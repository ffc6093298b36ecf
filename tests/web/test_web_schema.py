"""Requests made from the OpenAPI description, good and bad, by schemathesis: none may be answered by 5xx."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(sys.executable).with_name("schemathesis")

CHECKS = "not_a_server_error,response_schema_conformance,status_code_conformance,content_type_conformance"


@pytest.mark.skipif(not SCRIPT.exists() and not shutil.which("schemathesis"), reason="schemathesis is not installed")
def test_no_request_makes_the_server_fail(serve, make, tmp_path):
    server = serve(limits="'projects': 60, 'free_bytes': 0")
    id = server.project(("clip.mkv", make.clip(3)))
    server.ask("POST", f"/api/projects/{id}/objects", {})
    server.ask("PUT", f"/api/projects/{id}/masks/0", make.png(make.square(0)))
    job = server.ask("POST", f"/api/projects/{id}/exports", {"kind": "masks"})["id"]
    server.job(job)
    base = f"http://{server.host}:{server.port}"
    config = tmp_path / "schemathesis.toml"  # many requests go to a project that there is
    config.write_text(f'[parameters]\n"path.project" = "{id}"\n"path.job" = "{job}"\n"path.index" = 0\n')
    command = [str(SCRIPT) if SCRIPT.exists() else "schemathesis", "--config-file", str(config), "run"]
    command += [f"{base}/api/openapi.json", "--checks", CHECKS, "--max-examples", "4", "--request-timeout", "120"]
    command += ["--header", f"Authorization: Bearer {server.token}"]
    command += ["--phases", "coverage,fuzzing", "--seed", "1", "--no-color", "--continue-on-failure"]
    command += ["--exclude-name", "DELETE /api/projects/{project}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "CI": "1"})
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert int(re.search(r"(\d+) generated", done.stdout)[1]) > 200  # type: ignore[index]
    assert server.ask("GET", f"/api/projects/{id}")["id"] == id
    assert "Traceback" not in server.stop()
    assert json.loads((server.projects / id / "project.json").read_bytes())["program"] == "camn"
