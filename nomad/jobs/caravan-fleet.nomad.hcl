# The controller of the client fleet, on the Nomad cluster that it scales.
#
# It runs the command that nomad/client-userdata.sh installs on every client, or that you unpacked into
# /opt/caravan. Its secrets and its settings come from the Nomad variable of this job; put them there first:
#
#   nomad var put nomad/jobs/caravan-fleet server_token="..." nomad_token="..." settings=@fleet.hcl
#   nomad job run -var server=http://10.0.0.5:8080 -var node=ip-10-0-0-5 caravan-fleet.nomad.hcl
#
# `settings` holds the `pool` and `class` blocks of the settings file (docs/guides/fleet.md). server_token
# has the role `read`; nomad_token may write nodes and see the jobs of all namespaces, and may be left out
# where the cluster has no ACLs. AWS is asked with the role of the machine (nomad/iam/controller.json).
#
# Run it on a machine that none of the pools may end: name that machine with `node`. What it has begun is in
# data_dir there. A controller that is away for less than the hooks' heartbeat timeout loses nothing.

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
  description = "namespace of this job"
}

variable "server" {
  type        = string
  default     = "http://127.0.0.1:8080"
  description = "the Caravan server whose queue is served"
}

variable "data_dir" {
  type        = string
  default     = "/var/lib/caravan/fleet"
  description = "where the controller keeps what it has begun"
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

variable "statsd" {
  type        = string
  default     = ""
  description = "host:port of a DogStatsD server; nothing is sent when empty"
}

variable "command" {
  type        = string
  default     = "/usr/local/bin/caravan"
  description = "the installed command"
}

job "caravan-fleet" {
  type        = "service"
  namespace   = var.namespace
  datacenters = var.datacenters
  priority    = 80

  constraint {
    attribute = "${node.unique.name}"
    operator  = "regexp"
    value     = "^(${var.node})$"
  }

  # The old one ends before the new one starts: they share a folder. Hooks wait meanwhile.
  update {
    max_parallel      = 1
    health_check      = "task_states"
    min_healthy_time  = "10s"
    healthy_deadline  = "3m"
    progress_deadline = "5m"
    auto_revert       = true
  }

  group "fleet" {
    count = 1

    restart {
      attempts = 10
      interval = "10m"
      delay    = "5s"
      mode     = "delay"
    }

    task "fleet" {
      driver = "raw_exec"

      config {
        command = var.command
        args    = ["fleet", "run"]
      }

      env {
        CARAVAN_SETTINGS = "${NOMAD_SECRETS_DIR}/fleet.hcl"
        CARAVAN_SERVER   = var.server
        CARAVAN_DATA     = var.data_dir
        CARAVAN_STATSD   = var.statsd
        NOMAD_ADDR       = var.nomad_address
        NOMAD_CACERT     = var.nomad_ca_cert
      }

      template {
        destination = "secrets/fleet.hcl"
        perms       = "600"
        data        = <<-EOT
          {{ with nomadVar "nomad/jobs/caravan-fleet" }}{{ .settings }}{{ end }}
        EOT
      }

      template {
        destination = "secrets/fleet.env"
        perms       = "600"
        env         = true
        data        = <<-EOT
          {{ with nomadVar "nomad/jobs/caravan-fleet" }}
          CARAVAN_TOKEN={{ .server_token }}
          {{ with .nomad_token }}NOMAD_TOKEN={{ . }}{{ end }}
          {{ end }}
        EOT
      }

      resources {
        cpu    = 500
        memory = 512
      }

      # A call to AWS that was begun is finished, and the lease is given back.
      kill_timeout = "15s"

      logs {
        max_files     = 5
        max_file_size = 20
      }
    }
  }
}
