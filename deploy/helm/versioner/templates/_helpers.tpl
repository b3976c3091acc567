{{- define "versioner.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "versioner.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "versioner.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "versioner.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "versioner.selector" -}}
app.kubernetes.io/name: {{ include "versioner.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "versioner.labels" -}}
{{ include "versioner.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "versioner.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "versioner.secret" -}}
{{- if .Values.secrets.existingSecret -}}
{{- .Values.secrets.existingSecret -}}
{{- else if .Values.secrets.values -}}
{{- include "versioner.fullname" . -}}
{{- else -}}
{{- fail "set secrets.existingSecret to a Secret with the keys of secrets.settings, or secrets.values" -}}
{{- end -}}
{{- end -}}

{{/* The secret settings, as a JSON object with the list "names". */}}
{{- define "versioner.secretNames" -}}
{{- $names := .Values.secrets.settings -}}
{{- if not .Values.secrets.existingSecret -}}{{- $names = keys .Values.secrets.values | sortAlpha -}}{{- end -}}
{{- dict "names" $names | toJson -}}
{{- end -}}

{{- define "versioner.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "versioner.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "versioner.secretVolume" -}}
- name: secrets
  secret:
    secretName: {{ include "versioner.secret" . }}
    defaultMode: 0440
    items:
      {{- range (include "versioner.secretNames" . | fromJson).names }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
{{- end -}}

{{- define "versioner.secretFiles" -}}
{{- range (include "versioner.secretNames" . | fromJson).names }}
- name: {{ . }}_FILE
  value: /run/secrets/versioner/{{ . }}
{{- end }}
{{- end -}}
