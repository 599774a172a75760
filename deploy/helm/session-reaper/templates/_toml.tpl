{{/*
A value as TOML, on one line. Helm's own toToml writes every number of values.yaml as a fraction (25.0), which a count is not.
*/}}
{{- define "toml.value" -}}
{{- if kindIs "map" . -}}
{{- $pairs := list -}}
{{- range $key, $value := . -}}
{{- if not (kindIs "invalid" $value) -}}
{{- $pairs = append $pairs (printf "%s = %s" (include "toml.key" $key) (include "toml.value" $value)) -}}
{{- end -}}
{{- end -}}
{ {{ join ", " $pairs }} }
{{- else if kindIs "slice" . -}}
{{- $values := list -}}
{{- range . -}}
{{- $values = append $values (include "toml.value" .) -}}
{{- end -}}
[{{ join ", " $values }}]
{{- else if kindIs "string" . -}}
{{- toJson . -}}
{{- else if and (kindIs "float64" .) (eq . (floor .)) -}}
{{- printf "%.0f" . -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{- define "toml.key" -}}
{{- if regexMatch "^[A-Za-z0-9_-]+$" . }}{{ . }}{{ else }}{{ toJson . }}{{ end -}}
{{- end -}}

{{/* The lines of one table. */}}
{{- define "toml.lines" -}}
{{- range $key, $value := . }}
{{- if not (kindIs "invalid" $value) }}
{{ include "toml.key" $key }} = {{ include "toml.value" $value }}
{{- end }}
{{- end }}
{{- end -}}

{{/* A whole file: what stands alone comes before the first table. */}}
{{- define "toml.file" -}}
{{- range $key, $value := . }}
{{- if not (or (kindIs "map" $value) (kindIs "slice" $value) (kindIs "invalid" $value)) }}
{{ include "toml.key" $key }} = {{ include "toml.value" $value }}
{{- end }}
{{- end }}
{{- range $key, $value := . }}
{{- if kindIs "map" $value }}

[{{ include "toml.key" $key }}]
{{- include "toml.lines" $value }}
{{- else if kindIs "slice" $value }}
{{- range $value }}

[[{{ include "toml.key" $key }}]]
{{- include "toml.lines" . }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
