{{- define "session-reaper.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "session-reaper.fullname" -}}
{{- $name := include "session-reaper.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "session-reaper.selector" -}}
app.kubernetes.io/name: {{ include "session-reaper.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "session-reaper.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "session-reaper.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: session-reaper
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "session-reaper.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "session-reaper.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "session-reaper.fullname" .) -}}
{{- end -}}

{{- define "session-reaper.claim" -}}
{{- .Values.persistence.existingClaim | default (include "session-reaper.fullname" .) -}}
{{- end -}}
