# The Caravan server, on the Nomad cluster that it submits builds to.
#
# It runs the command that nomad/client-userdata.sh installs on every client, or that you unpacked into
# /opt/caravan. Secrets come from the Nomad variable of this job; put them there first:
#
#   nomad var put nomad/jobs/caravan-server \
#     master_key="$(openssl rand -hex 32)" admin_token="$(openssl rand -hex 32)" nomad_token="..."
#   nomad job run -var public_url=http://10.0.0.5:8080 -var node=ip-10-0-0-5 caravan-server.nomad.hcl
#
# nomad_token may be left out where the cluster has no ACLs, and store_url, such as
# postgres://user:password@db.example/ci?sslmode=verify-full, where builds are kept in SQLite. With
# SQLite everything is in data_dir on one machine: name that machine with `node`. With PostgreSQL too,
# output and sources are in data_dir, so let it be a shared folder before you let the job move.

variable "node" {
  type        = string
  default     = ".*"
  description = "name of the node to run on, or a regular expression for several"
}

variable "datacenters" {
  type        = list(string)
  default     = ["*"]
  description = "datacenters to run in; \"*\" is all of them"
}

variable "namespace" {
  type        = string
  default     = "default"
  description = "namespace of this job, and of the jobs of builds"
}

variable "public_url" {
  type        = string
  default     = "http://127.0.0.1:8080"
  description = "where agents and people reach the server"
}

variable "port" {
  type        = number
  default     = 8080
  description = "port of the API"
}

variable "data_dir" {
  type        = string
  default     = "/var/lib/caravan/server"
  description = "where builds and output are kept on the machine"
}

variable "nomad_address" {
  type        = string
  default     = "http://127.0.0.1:4646"
  description = "Nomad, as seen from the machine; its own client will do"
}

variable "nomad_ca_cert" {
  type        = string
  default     = ""
  description = "certificate of the authority of Nomad's TLS, such as /etc/nomad/tls/ca.pem"
}

variable "command" {
  type        = string
  default     = "/usr/local/bin/caravan"
  description = "the installed command"
}

job "caravan-server" {
  type        = "service"
  namespace   = var.namespace
  datacenters = var.datacenters
  priority    = 80

  constraint {
    attribute = "${node.unique.name}"
    operator  = "regexp"
    value     = "^(${var.node})$"
  }

  # One server to a store: the old one ends before the new one starts. Agents keep on working meanwhile
  # and deliver afterwards.
  update {
    max_parallel      = 1
    health_check      = "checks"
    min_healthy_time  = "10s"
    healthy_deadline  = "3m"
    progress_deadline = "5m"
    auto_revert       = true
  }

  group "server" {
    count = 1

    network {
      port "http" {
        static = var.port
      }
    }

    service {
      name     = "caravan"
      provider = "nomad"
      port     = "http"

      # Well as a process. Whether builds can go on is told by /readyz, and is no reason for a restart.
      check {
        type     = "http"
        path     = "/healthz"
        interval = "10s"
        timeout  = "5s"

        check_restart {
          limit = 6
          grace = "60s"
        }
      }
    }

    restart {
      attempts = 10
      interval = "10m"
      delay    = "10s"
      mode     = "delay"
    }

    task "server" {
      driver = "raw_exec"

      config {
        command = var.command
        args    = ["server", "--log-format", "json"]
      }

      env {
        CARAVAN_LISTEN          = "0.0.0.0:${var.port}"
        CARAVAN_PUBLIC_URL      = var.public_url
        CARAVAN_DATA            = var.data_dir
        CARAVAN_MASTER_KEY_FILE = "${NOMAD_SECRETS_DIR}/master.key"
        CARAVAN_AGENT_COMMAND   = "${var.command} build-agent"
        NOMAD_ADDR              = var.nomad_address
        NOMAD_CACERT            = var.nomad_ca_cert
        NOMAD_NAMESPACE         = var.namespace
      }

      template {
        destination = "secrets/master.key"
        perms       = "600"
        data        = <<-EOT
          {{ with nomadVar "nomad/jobs/caravan-server" }}{{ .master_key }}{{ end }}
        EOT
      }

      template {
        destination = "secrets/server.env"
        perms       = "600"
        env         = true
        data        = <<-EOT
          {{ with nomadVar "nomad/jobs/caravan-server" }}
          CARAVAN_TOKENS={{ .admin_token }}
          {{ with .nomad_token }}NOMAD_TOKEN={{ . }}{{ end }}
          {{ with .store_url }}CARAVAN_STORE={{ . }}{{ end }}
          {{ end }}
        EOT
      }

      resources {
        cpu    = 1000
        memory = 1024
      }

      # What is being answered and written is finished.
      kill_timeout = "30s"

      logs {
        max_files     = 5
        max_file_size = 20
      }
    }
  }
}
