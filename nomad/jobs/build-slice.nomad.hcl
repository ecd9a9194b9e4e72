# The Nomad job of one slice of a build.
#
# Caravan fills in the variables and registers one such job for every attempt of every slice. The file
# is an ordinary Nomad job file: check a copy with `nomad job validate`, and name it in the settings as
# `nomad { template = "..." }`. `caravan run --dry-run` prints the jobs that come out of it.
#
# Yours to change: constraints and affinities, the driver and the user of the agent, more resources,
# sizes of disk and logs, volumes, artifacts, templates, tasks beside the agent, further meta keys,
# further variables with a default of their own.
#
# Caravan's, and checked when the file is read: id, type, the meta keys below, one group "slice" with
# count 1, restart, reschedule, disconnect, the task "build-agent" and its CARAVAN_ variables. Nomad must
# never start a slice a second time by itself: whether a lost slice is tried again, and where, is
# decided by Caravan, which gives each attempt a job of its own.
#
# Caravan adds the namespace, a claim token in CARAVAN_CLAIM_TOKEN, from Nomad 2.0.3 on
# max_run_duration, and for a slice that is tried again affinities of weight -100 with the nodes where
# it failed before. Nothing else.
#
# Values may hold literals, var.NAME, "...${var.NAME}..." and what Nomad resolves on the node, such as
# ${attr.kernel.name} or ${NOMAD_ALLOC_DIR}; there are no functions, conditions, locals or dynamic
# blocks. Who names branches and repositories is not you: keep such values to meta, and out of env,
# config and templates, where Nomad would resolve a ${...} in them.

job "build-slice" {
  id          = var.job_id
  name        = var.job_id
  type        = "batch"
  priority    = var.priority
  datacenters = var.datacenters

  # What dashboards and `nomad job status` filters go by. Never put a secret here.
  meta {
    install        = var.install
    org            = var.org
    repo           = var.repo
    branch         = var.branch
    sha            = var.sha
    build          = var.build
    number         = var.number
    job            = var.job
    slice          = var.slice
    parallelism    = var.parallelism
    resource_class = var.resource_class
    epoch          = var.epoch
    spec_hash      = var.spec_hash
  }

  group "slice" {
    count = 1

    # Only nodes of the resource class's node class; add constraints of your own beside it.
    constraint {
      attribute = "${node.class}"
      value     = var.node_class
    }

    restart {
      attempts = 0
      mode     = "fail"
    }

    reschedule {
      attempts  = 0
      unlimited = false
    }

    disconnect {
      replace = false
    }

    # MB that a node must have free. Nomad places by it and does not enforce it.
    ephemeral_disk {
      size = 1024
    }

    task "build-agent" {
      driver = "raw_exec"
      leader = true

      config {
        command = var.agent_command
        args    = var.agent_args
      }

      env {
        CARAVAN_URL     = var.url
        CARAVAN_INSTALL = var.install
        CARAVAN_SLICE   = "${var.build}-${var.slice}"
        CARAVAN_EPOCH   = var.epoch

        # Without it the agent lets 20 MB of garbage gather before it looks. Steps do not get it.
        NODE_OPTIONS = "--max-semi-space-size=4"
      }

      resources {
        cpu    = var.cpu
        memory = var.memory
      }

      # Time for the agent to end its steps (60 % of it) and send their last output. Nomad clients cap it at their
      # max_kill_timeout, 30 seconds unless configured otherwise.
      kill_timeout = "30s"

      # The agent's own log, a line per step. The output of steps goes to the Caravan server.
      logs {
        max_files     = 2
        max_file_size = 2
      }
    }
  }
}

variable "job_id" {
  type        = string
  default     = "000000000000000000000000-0-build-local-example-1"
  description = "id of the Nomad job"
}

variable "priority" {
  type        = number
  default     = 50
  description = "priority of the build, 1 to 100"
}

variable "datacenters" {
  type        = list(string)
  default     = ["*"]
  description = "datacenters to run in; \"*\" is all of them"
}

variable "node_class" {
  type        = string
  default     = "linux-64bit"
  description = "class of the nodes that may run the slice"
}

variable "cpu" {
  type        = number
  default     = 5000
  description = "MHz to reserve, the overhead of the agent included"
}

variable "memory" {
  type        = number
  default     = 8704
  description = "MiB to reserve, the overhead of the agent included"
}

variable "agent_command" {
  type        = string
  default     = "caravan"
  description = "program that is the build-agent"
}

variable "agent_args" {
  type        = list(string)
  default     = ["build-agent"]
  description = "its arguments"
}

variable "url" {
  type        = string
  default     = "http://127.0.0.1:8080"
  description = "address at which agents reach the Caravan server"
}

variable "install" {
  type        = string
  default     = "local"
  description = "id of the Caravan installation"
}

variable "org" {
  type        = string
  default     = "local"
  description = "organisation"
}

variable "repo" {
  type        = string
  default     = "example"
  description = "repository"
}

variable "branch" {
  type        = string
  default     = "main"
  description = "branch that is built"
}

variable "sha" {
  type        = string
  default     = ""
  description = "commit that is built"
}

variable "build" {
  type        = string
  default     = "000000000000000000000000"
  description = "id of the build, 24 hex digits"
}

variable "number" {
  type        = number
  default     = 1
  description = "number of the build"
}

variable "job" {
  type        = string
  default     = "build"
  description = "name of the job in the configuration of the build"
}

variable "slice" {
  type        = number
  default     = 0
  description = "index of the slice, from 0"
}

variable "parallelism" {
  type        = number
  default     = 1
  description = "how many slices the build has"
}

variable "resource_class" {
  type        = string
  default     = "medium"
  description = "name of the resource class"
}

variable "epoch" {
  type        = number
  default     = 1
  description = "number of the attempt, from 1"
}

variable "spec_hash" {
  type        = string
  default     = ""
  description = "SHA-256 of this job without this value"
}
