# nomad-metrics on every client: gauges about the node's resources for DogStatsD, and /metrics for
# Prometheus on a port of its own.
#
# For clients that nomad/client-userdata.sh did not set up: its machines run nomad-metrics as a unit of
# systemd already, and would send everything twice. Where the cluster has ACLs, the token is in the Nomad
# variable of this job:
#
#   nomad var put nomad/jobs/nomad-metrics nomad_token="..."        # node:read, agent:read
#   nomad job run -var statsd_host=10.0.0.4 nomad-metrics.nomad.hcl

variable "datacenters" {
  type        = list(string)
  default     = ["*"]
  description = "datacenters to run in; \"*\" is all of them"
}

variable "statsd_host" {
  type        = string
  default     = "127.0.0.1"
  description = "the DogStatsD server"
}

variable "statsd_port" {
  type        = number
  default     = 8125
  description = "its UDP port"
}

variable "nomad_address" {
  type        = string
  default     = "http://localhost:4646"
  description = "the node's own Nomad client"
}

variable "nomad_ca_cert" {
  type        = string
  default     = ""
  description = "certificate of the authority of Nomad's TLS, such as /etc/nomad/tls/ca.pem"
}

variable "command" {
  type        = string
  default     = "/usr/local/bin/nomad-metrics"
  description = "the installed command"
}

job "nomad-metrics" {
  type        = "system"
  datacenters = var.datacenters
  priority    = 80

  group "nomad-metrics" {
    network {
      port "metrics" {}
    }

    service {
      name     = "nomad-metrics"
      provider = "nomad"
      port     = "metrics"

      check {
        type     = "http"
        path     = "/metrics"
        interval = "30s"
        timeout  = "5s"

        check_restart {
          limit = 4
          grace = "60s"
        }
      }
    }

    # Metrics that fail never end for good.
    restart {
      attempts = 10
      interval = "10m"
      delay    = "15s"
      mode     = "delay"
    }

    task "nomad-metrics" {
      driver = "raw_exec"

      config {
        command = var.command
        args = [
          "start",
          "--client",
          "--node-tag",
          "--nomad-uri=${var.nomad_address}",
          "--statsd-host=${var.statsd_host}",
          "--statsd-port=${var.statsd_port}",
          "--listen=${NOMAD_ADDR_metrics}",
        ]
      }

      env {
        NOMAD_CACERT = var.nomad_ca_cert
      }

      template {
        destination = "secrets/nomad-metrics.env"
        perms       = "600"
        env         = true
        data        = <<-EOT
          {{ if nomadVarExists "nomad/jobs/nomad-metrics" }}
          {{ with nomadVar "nomad/jobs/nomad-metrics" }}NOMAD_TOKEN={{ .nomad_token }}{{ end }}
          {{ end }}
        EOT
      }

      resources {
        cpu    = 100
        memory = 128
      }

      logs {
        max_files     = 2
        max_file_size = 2
      }
    }
  }
}
