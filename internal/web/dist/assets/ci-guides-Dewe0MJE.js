import{r as e}from"./rolldown-runtime-XKyaHtl9.js";import{O as t,k as n}from"./framework-BXENIN0Q.js";import{Jn as r,_r as i,gi as a,qn as o}from"./app-D6gC4vdO.js";var s=e(n(),1),c=`# Azure DevOps

[Prerequisites](README.md#prerequisites) · agent: any with Bash and \`curl\`; Microsoft's Ubuntu images have
them.

**The secret**: the pipeline → *Edit* → *Variables* → \`VERSIONER_API_KEY\`, *Keep this value secret*; and
\`VERSIONER_API_URL\`, not secret. Or
\`az pipelines variable create --pipeline-name NAME --name VERSIONER_API_KEY --secret true --value …\`. A secret reaches a
step only when the step's \`env\` names it.

## With curl

\`azure-pipelines.yml\`:

\`\`\`yaml
trigger: [main]
pool:
  vmImage: ubuntu-latest
variables:
  VERSIONER_PRODUCT: checkout
  VERSIONER_VERSION: $(Build.SourceVersion)
  VERSIONER_ENVIRONMENT: production
  VERSIONER_SOURCE_SYSTEM: azure-devops
  VERSIONER_BUILD_NUMBER: $(Build.BuildNumber)
  VERSIONER_SCM_SHA: $(Build.SourceVersion)
  VERSIONER_SCM_BRANCH: $(Build.SourceBranch)
  VERSIONER_SCM_REPOSITORY: $(Build.Repository.Name)
  VERSIONER_DEPLOY_URL: $(System.CollectionUri)$(System.TeamProject)/_build/results?buildId=$(Build.BuildId)
  VERSIONER_INVOKE_ID: $(Build.BuildId)
  VERSIONER_DEPLOYED_BY: $(Build.RequestedFor)
steps:
  - bash: |
      set -e
      sh ci/versioner-event.sh started
      echo '##vso[task.setvariable variable=deploymentStarted]yes'
    displayName: Report the start
    env:
      VERSIONER_API_KEY: $(VERSIONER_API_KEY)
  - bash: ./deploy.sh
    displayName: Deploy
  - bash: sh ci/versioner-event.sh failed
    displayName: Report failure
    condition: and(failed(), eq(variables['deploymentStarted'], 'yes'))
    env:
      VERSIONER_API_KEY: $(VERSIONER_API_KEY)
  - bash: sh ci/versioner-event.sh aborted
    displayName: Report cancellation
    condition: and(canceled(), eq(variables['deploymentStarted'], 'yes'))
    env:
      VERSIONER_API_KEY: $(VERSIONER_API_KEY)
  - bash: sh ci/versioner-event.sh completed
    displayName: Report success
    env:
      VERSIONER_API_KEY: $(VERSIONER_API_KEY)
\`\`\`

Variables of the pipeline become environment variables of its steps. \`set -e\` is required: the exit status of a Bash step is that of its last
line. \`Build.SourceBranch\` is like \`refs/heads/feature/x\`; \`Build.SourceBranchName\` would be only its last part.
The address opens in a browser, unlike \`Build.BuildUri\`, which begins with \`vstfs:///\`. A stage that is run again
keeps its \`Build.BuildId\`; its \`started\` opens a new deployment.

## Ask beforehand

A stage before the build, with the secret variable \`VERSIONER_PREFLIGHT_KEY\`
([a key with the scope \`preflight\`](README.md#ask-beforehand)):

\`\`\`yaml
trigger: [main]
pool:
  vmImage: ubuntu-latest
stages:
  - stage: preflight
    jobs:
      - job: ask
        variables:
          VERSIONER_PRODUCT: checkout
          VERSIONER_VERSION: $(Build.SourceVersion)
          VERSIONER_ENVIRONMENT: production
        steps:
          - bash: sh ci/versioner-event.sh preflight
            displayName: Ask whether the deployment may start
            env:
              VERSIONER_PREFLIGHT_KEY: $(VERSIONER_PREFLIGHT_KEY)
  - stage: build
    jobs:
      - job: build
        steps:
          - bash: ./build.sh
\`\`\`

A rule that would reject the deployment fails the step with exit status 5 ("Bash exited with code '5'"), and later stages are skipped; 1, 3
and 4 are [other reasons](README.md#exit-statuses). [What the clients print](README.md#what-a-rejected-pipeline-prints) for a
rejected deployment.

## With the command-line client

\`\`\`yaml
trigger: [main]
pool:
  vmImage: ubuntu-latest
steps:
  - bash: |
      set -e
      curl -fsSL https://github.com/versioner-io/versioner-cli/releases/latest/download/versioner-linux-amd64 -o versioner
      chmod +x versioner
      ./versioner track deployment --product checkout --version "$BUILD_SOURCEVERSION" --environment production --status started
      echo '##vso[task.setvariable variable=deploymentStarted]yes'
    displayName: Report the start
    env:
      VERSIONER_API_KEY: $(VERSIONER_API_KEY)
  - bash: ./deploy.sh
    displayName: Deploy
  - bash: ./versioner track deployment --product checkout --version "$BUILD_SOURCEVERSION" --environment production --status failed
    displayName: Report failure
    condition: and(failed(), eq(variables['deploymentStarted'], 'yes'))
    env:
      VERSIONER_API_KEY: $(VERSIONER_API_KEY)
  - bash: ./versioner track deployment --product checkout --version "$BUILD_SOURCEVERSION" --environment production --status completed
    displayName: Report success
    env:
      VERSIONER_API_KEY: $(VERSIONER_API_KEY)
\`\`\`

## Sources

Microsoft's [predefined variables](https://learn.microsoft.com/azure/devops/pipelines/build/variables),
[conditions](https://learn.microsoft.com/azure/devops/pipelines/process/conditions) and
[secret variables](https://learn.microsoft.com/azure/devops/pipelines/process/set-secret-variables).
`,l=`# Bitbucket Pipelines

[Prerequisites](README.md#prerequisites) · image: any with \`curl\`; Atlassian's default image has it.

**The secret**: repository → *Repository settings* → *Pipelines* → *Repository variables* → \`VERSIONER_API_KEY\`,
*Secured*; and \`VERSIONER_API_URL\` beside it. Deployment variables and workspace variables work as well.

## With curl

\`bitbucket-pipelines.yml\`:

\`\`\`yaml
pipelines:
  branches:
    main:
      - step:
          name: Deploy
          deployment: production
          script:
            - |
              cat > versioner.env <<'END'
              export VERSIONER_PRODUCT=checkout
              export VERSIONER_VERSION="$BITBUCKET_COMMIT"
              export VERSIONER_ENVIRONMENT=production
              export VERSIONER_SOURCE_SYSTEM=bitbucket
              export VERSIONER_BUILD_NUMBER="$BITBUCKET_BUILD_NUMBER"
              export VERSIONER_SCM_SHA="$BITBUCKET_COMMIT"
              export VERSIONER_SCM_BRANCH="\${BITBUCKET_BRANCH:-$BITBUCKET_TAG}"
              export VERSIONER_SCM_REPOSITORY="$BITBUCKET_REPO_FULL_NAME"
              export VERSIONER_DEPLOY_URL="https://bitbucket.org/$BITBUCKET_REPO_FULL_NAME/pipelines/results/$BITBUCKET_BUILD_NUMBER"
              export VERSIONER_INVOKE_ID="$BITBUCKET_PIPELINE_UUID"
              export VERSIONER_DEPLOYED_BY="$BITBUCKET_STEP_TRIGGERER_UUID"
              END
            - . ./versioner.env
            - sh ci/versioner-event.sh started
            - touch .deployment-started
            - ./deploy.sh
          after-script:
            - . ./versioner.env
            - if [ "$BITBUCKET_EXIT_CODE" -eq 0 ]; then STATUS=completed; else STATUS=failed; fi
            - test ! -e .deployment-started || sh ci/versioner-event.sh "$STATUS"
\`\`\`

\`after-script\` runs after success and failure, in a separate shell; \`BITBUCKET_EXIT_CODE\` is the exit status of \`script\`. Its
own result does not change that of the step. A file passes the variables to both shells. Bitbucket identifies users by a UUID in
braces, without a name. It runs no \`after-script\` in a stopped pipeline: report that from another pipeline with the same
\`VERSIONER_INVOKE_ID\` (\`sh ci/versioner-event.sh aborted\`), or the deployment stays \`started\` and is stale after 24 hours.

## Ask beforehand

A step before the build, with the secured variable \`VERSIONER_PREFLIGHT_KEY\`
([a key with the scope \`preflight\`](README.md#ask-beforehand)):

\`\`\`yaml
pipelines:
  branches:
    main:
      - step:
          name: Ask whether the deployment may start
          script:
            - export VERSIONER_PRODUCT=checkout
            - export VERSIONER_VERSION="$BITBUCKET_COMMIT"
            - export VERSIONER_ENVIRONMENT=production
            - sh ci/versioner-event.sh preflight
      - step:
          name: Build
          script:
            - ./build.sh
\`\`\`

A rule that would reject the deployment fails the step with exit status 5, and later steps do not run; 1, 3 and 4 are
[other reasons](README.md#exit-statuses). [What the clients print](README.md#what-a-rejected-pipeline-prints) for a rejected deployment.

## With the command-line client

\`\`\`yaml
pipelines:
  branches:
    main:
      - step:
          name: Deploy
          deployment: production
          script:
            - curl -fsSL https://github.com/versioner-io/versioner-cli/releases/latest/download/versioner-linux-amd64 -o versioner
            - chmod +x versioner
            - ./versioner track deployment --product checkout --version "$BITBUCKET_COMMIT" --environment production --status started
            - touch .deployment-started
            - ./deploy.sh
          after-script:
            - if [ "$BITBUCKET_EXIT_CODE" -eq 0 ]; then STATUS=completed; else STATUS=failed; fi
            - test ! -e .deployment-started || ./versioner track deployment --product checkout --version "$BITBUCKET_COMMIT" --environment production --status "$STATUS"
\`\`\`

It does not detect the user; add \`--deployed-by "$BITBUCKET_STEP_TRIGGERER_UUID"\`.

## Sources

Atlassian's [variables and secrets](https://support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets/) and
[after-scripts](https://bitbucket.org/blog/after-scripts-now-available-for-bitbucket-pipelines).
`,u=`# Buildkite

[Prerequisites](README.md#prerequisites) · agent: any with Bash and \`curl\`.

**The secret**: *Agents* → the cluster → *Secrets* → *New Secret* → \`VERSIONER_API_KEY\`; self-hosted agents without clusters export it
in the hook \`environment\`. Set \`VERSIONER_API_URL\` in the \`env\` of the pipeline, or in the same hook.

## With curl

\`.buildkite/pipeline.yml\`:

\`\`\`yaml
steps:
  - label: Deploy
    branches: main
    command: |
      export VERSIONER_API_KEY="$$(buildkite-agent secret get VERSIONER_API_KEY)"
      export VERSIONER_PRODUCT=checkout
      export VERSIONER_VERSION="$$BUILDKITE_COMMIT"
      export VERSIONER_ENVIRONMENT=production
      export VERSIONER_SOURCE_SYSTEM=buildkite
      export VERSIONER_BUILD_NUMBER="$$BUILDKITE_BUILD_NUMBER"
      export VERSIONER_SCM_SHA="$$BUILDKITE_COMMIT"
      export VERSIONER_SCM_BRANCH="$$BUILDKITE_BRANCH"
      export VERSIONER_SCM_REPOSITORY="$$BUILDKITE_REPO"
      export VERSIONER_DEPLOY_URL="$$BUILDKITE_BUILD_URL"
      export VERSIONER_INVOKE_ID="$$BUILDKITE_BUILD_ID"
      export VERSIONER_DEPLOYED_BY="$\${BUILDKITE_BUILD_CREATOR:-}"
      sh ci/versioner-event.sh started
      trap 'sh ci/versioner-event.sh aborted; exit 1' TERM
      if ./deploy.sh; then sh ci/versioner-event.sh completed; else sh ci/versioner-event.sh failed; exit 1; fi
\`\`\`

\`$$\` is a dollar sign for the shell of the job: the agent would replace \`$BUILDKITE_COMMIT\` when it uploads the pipeline. The agent runs
the command with \`bash -e\`, so that nothing is deployed when the first event fails. A cancelled job gets \`SIGTERM\` and has the agent's
\`cancel-grace-period\` (10 seconds by default) to report it. A job that is retried keeps its \`BUILDKITE_BUILD_ID\`; its
\`started\` opens a new deployment.

## Ask beforehand

A step before the build, with the secret \`VERSIONER_PREFLIGHT_KEY\` ([a key with the scope \`preflight\`](README.md#ask-beforehand)):

\`\`\`yaml
steps:
  - label: Ask whether the deployment may start
    branches: main
    command: |
      export VERSIONER_PREFLIGHT_KEY="$$(buildkite-agent secret get VERSIONER_PREFLIGHT_KEY)"
      export VERSIONER_PRODUCT=checkout
      export VERSIONER_VERSION="$$BUILDKITE_COMMIT"
      export VERSIONER_ENVIRONMENT=production
      sh ci/versioner-event.sh preflight
    soft_fail:
      - exit_status: 1
  - wait
  - label: Build
    command: ./build.sh
\`\`\`

A rule that would reject the deployment fails the step with exit status 5, and \`wait\` ends the build. \`soft_fail\` continues when Versioner is
unavailable (1); [3 and 4](README.md#exit-statuses) are errors of the step. [What the clients
print](README.md#what-a-rejected-pipeline-prints) for a rejected deployment.

## Sources

Buildkite's [environment variables](https://buildkite.com/docs/pipelines/configure/environment-variables) and
[secrets](https://buildkite.com/docs/pipelines/security/secrets/buildkite-secrets).
`,d=`# CircleCI

[Prerequisites](README.md#prerequisites) · image: any with \`curl\`; \`cimg/base\` has it.

**The secret**: *Organization Settings* → *Contexts* → a context \`versioner\` with the variables \`VERSIONER_API_KEY\` and
\`VERSIONER_API_URL\`, or *Project Settings* → *Environment Variables* (then omit \`context\`).

## With curl

\`.circleci/config.yml\`:

\`\`\`yaml
version: 2.1
jobs:
  deploy:
    docker:
      - image: cimg/base:current
    steps:
      - checkout
      - run:
          name: Report the start
          command: |
            cat >> "$BASH_ENV" <<'END'
            export VERSIONER_PRODUCT=checkout
            export VERSIONER_VERSION="$CIRCLE_SHA1"
            export VERSIONER_ENVIRONMENT=production
            export VERSIONER_SOURCE_SYSTEM=circleci
            export VERSIONER_BUILD_NUMBER="$CIRCLE_BUILD_NUM"
            export VERSIONER_SCM_SHA="$CIRCLE_SHA1"
            export VERSIONER_SCM_BRANCH="\${CIRCLE_BRANCH:-$CIRCLE_TAG}"
            export VERSIONER_SCM_REPOSITORY="$CIRCLE_PROJECT_USERNAME/$CIRCLE_PROJECT_REPONAME"
            export VERSIONER_DEPLOY_URL="$CIRCLE_BUILD_URL"
            export VERSIONER_INVOKE_ID="$CIRCLE_WORKFLOW_ID"
            export VERSIONER_DEPLOYED_BY="\${CIRCLE_USERNAME:-}"
            END
            . "$BASH_ENV"
            sh ci/versioner-event.sh started
            touch .deployment-started
      - run:
          name: Deploy
          command: ./deploy.sh
      - run:
          name: Report failure
          when: on_fail
          command: test ! -e .deployment-started || sh ci/versioner-event.sh failed
      - run:
          name: Report success
          command: sh ci/versioner-event.sh completed
workflows:
  deploy:
    jobs:
      - deploy:
          context: [versioner]
          filters:
            branches:
              only: main
\`\`\`

\`environment:\` does not expand other variables, so the first step writes them into \`$BASH_ENV\`, which every later
step reads. The step for failures comes before the one for success, or it would also report a failure when only the last event was
not recorded. CircleCI runs no step in a cancelled job: report it from another job with the same \`VERSIONER_INVOKE_ID\`
(\`sh ci/versioner-event.sh aborted\`), or the deployment stays \`started\` and is stale after 24 hours (\`is_stale\`). Running a workflow again gives it a new \`CIRCLE_WORKFLOW_ID\`.

## Ask beforehand

A job that the others require, with the variable \`VERSIONER_PREFLIGHT_KEY\` in the context
([a key with the scope \`preflight\`](README.md#ask-beforehand)):

\`\`\`yaml
version: 2.1
jobs:
  preflight:
    docker:
      - image: cimg/base:current
    steps:
      - checkout
      - run:
          name: Ask whether the deployment may start
          command: VERSIONER_VERSION="$CIRCLE_SHA1" sh ci/versioner-event.sh preflight
          environment:
            VERSIONER_PRODUCT: checkout
            VERSIONER_ENVIRONMENT: production
  build:
    docker:
      - image: cimg/base:current
    steps:
      - checkout
      - run: ./build.sh
workflows:
  deploy:
    jobs:
      - preflight:
          context: [versioner]
          filters:
            branches:
              only: main
      - build:
          requires: [preflight]
\`\`\`

A rule that would reject the deployment fails the job with exit status 5 ("Exited with code exit status 5"), and jobs that require it do not
run; 1, 3 and 4 are [other reasons](README.md#exit-statuses). [What the clients print](README.md#what-a-rejected-pipeline-prints) for a
rejected deployment.

## With the command-line client

\`\`\`yaml
version: 2.1
jobs:
  deploy:
    docker:
      - image: cimg/base:current
    steps:
      - checkout
      - run:
          name: Report the start
          command: |
            curl -fsSL https://github.com/versioner-io/versioner-cli/releases/latest/download/versioner-linux-amd64 -o versioner
            chmod +x versioner
            ./versioner track deployment --product checkout --version "$CIRCLE_SHA1" --environment production --status started
            touch .deployment-started
      - run:
          name: Deploy
          command: ./deploy.sh
      - run:
          name: Report failure
          when: on_fail
          command: test ! -e .deployment-started || ./versioner track deployment --product checkout --version "$CIRCLE_SHA1" --environment production --status failed
      - run:
          name: Report success
          command: ./versioner track deployment --product checkout --version "$CIRCLE_SHA1" --environment production --status completed
workflows:
  deploy:
    jobs:
      - deploy:
          context: [versioner]
\`\`\`

## Sources

CircleCI's [built-in variables](https://circleci.com/docs/reference/variables/),
[\`when\`](https://circleci.com/docs/reference/configuration-reference/#the-when-attribute) and
[contexts](https://circleci.com/docs/guides/security/contexts/).
`,f=`# GitHub Actions

[Prerequisites](README.md#prerequisites) · runner: any with \`curl\`, such as GitHub's.

**The secret**: repository → *Settings* → *Secrets and variables* → *Actions* → *Secrets* → \`VERSIONER_API_KEY\`, or
\`gh secret set VERSIONER_API_KEY\`. Add the address under *Variables*, as \`VERSIONER_API_URL\`
(\`gh variable set VERSIONER_API_URL\`). Workflows of pull requests from forks get neither.

## With curl

\`.github/workflows/deploy.yml\`:

\`\`\`yaml
name: Deploy
on:
  push:
    branches: [main]
jobs:
  deploy:
    runs-on: ubuntu-latest
    env:
      VERSIONER_API_URL: \${{ vars.VERSIONER_API_URL }}
      VERSIONER_API_KEY: \${{ secrets.VERSIONER_API_KEY }}
      VERSIONER_PRODUCT: checkout
      VERSIONER_VERSION: \${{ github.sha }}
      VERSIONER_ENVIRONMENT: production
      VERSIONER_SOURCE_SYSTEM: github
      VERSIONER_BUILD_NUMBER: \${{ github.run_number }}
      VERSIONER_SCM_SHA: \${{ github.sha }}
      VERSIONER_SCM_BRANCH: \${{ github.ref_name }}
      VERSIONER_SCM_REPOSITORY: \${{ github.repository }}
      VERSIONER_DEPLOY_URL: \${{ github.server_url }}/\${{ github.repository }}/actions/runs/\${{ github.run_id }}
      VERSIONER_INVOKE_ID: \${{ github.run_id }}
      VERSIONER_DEPLOYED_BY: \${{ github.actor }}
    steps:
      - uses: actions/checkout@v4
      - name: Report the start
        run: sh ci/versioner-event.sh started
      - name: Deploy
        id: deploy
        run: ./deploy.sh
      - name: Report the result
        if: always() && steps.deploy.outcome != 'skipped'
        env:
          OUTCOME: \${{ steps.deploy.outcome }}
        run: sh ci/versioner-event.sh "$OUTCOME"
\`\`\`

\`outcome\` is \`success\`, \`failure\` or \`cancelled\`; Versioner accepts all three, and \`always()\` includes cancelled jobs. It is
\`skipped\` when the first event failed: then nothing was deployed, and nothing is sent. Values reach the script through \`env\`, never
through \`\${{ … }}\` inside \`run\`, so that a branch name cannot become a command. A re-run keeps its \`github.run_id\`; its
\`started\` opens a new deployment.

## Ask beforehand

A job before the build, with the secret \`VERSIONER_PREFLIGHT_KEY\` ([a key with the scope \`preflight\`](README.md#ask-beforehand)):

\`\`\`yaml
name: Deploy
on:
  push:
    branches: [main]
jobs:
  preflight:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - name: Ask whether the deployment may start
        env:
          VERSIONER_API_URL: \${{ vars.VERSIONER_API_URL }}
          VERSIONER_PREFLIGHT_KEY: \${{ secrets.VERSIONER_PREFLIGHT_KEY }}
          VERSIONER_PRODUCT: checkout
          VERSIONER_VERSION: \${{ github.sha }}
          VERSIONER_ENVIRONMENT: production
        run: sh ci/versioner-event.sh preflight
  build:
    needs: preflight
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: ./build.sh
\`\`\`

A rule that would reject the deployment fails the job with exit status 5, and jobs that need it are skipped; 1, 3 and 4 are
[other reasons](README.md#exit-statuses). To be informed only, add \`continue-on-error: true\` to the step.

## With the GitHub Action

\`\`\`yaml
name: Deploy
on:
  push:
    branches: [main]
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - name: Report the start
        uses: versioner-io/versioner-github-action@v1.0.1
        with:
          api_url: \${{ vars.VERSIONER_API_URL }}
          api_key: \${{ secrets.VERSIONER_API_KEY }}
          product_name: checkout
          version: \${{ github.sha }}
          environment: production
          status: in_progress
      - name: Deploy
        id: deploy
        run: ./deploy.sh
      - name: Report success
        if: success()
        uses: versioner-io/versioner-github-action@v1.0.1
        with:
          api_url: \${{ vars.VERSIONER_API_URL }}
          api_key: \${{ secrets.VERSIONER_API_KEY }}
          product_name: checkout
          version: \${{ github.sha }}
          environment: production
          status: success
      - name: Report failure
        if: failure() && steps.deploy.outcome == 'failure'
        uses: versioner-io/versioner-github-action@v1.0.1
        with:
          api_url: \${{ vars.VERSIONER_API_URL }}
          api_key: \${{ secrets.VERSIONER_API_KEY }}
          product_name: checkout
          version: \${{ github.sha }}
          environment: production
          status: failure
      - name: Report cancellation
        if: cancelled() && steps.deploy.outcome == 'cancelled'
        env:
          VERSIONER_API_URL: \${{ vars.VERSIONER_API_URL }}
          VERSIONER_API_KEY: \${{ secrets.VERSIONER_API_KEY }}
          VERSIONER_PRODUCT: checkout
          VERSIONER_VERSION: \${{ github.sha }}
          VERSIONER_ENVIRONMENT: production
          VERSIONER_INVOKE_ID: \${{ github.run_id }}
        run: sh ci/versioner-event.sh aborted
\`\`\`

When a rule rejects the deployment, the Action fails the job with the [same lines](README.md#what-a-rejected-pipeline-prints) as the
command-line client, but prints all details for 428 only, and "Unknown Rule" for a rejection without a rule. Its summary of the job advises
\`skip-preflight-checks: true\`, which it ignores: the input of the releases that have one is \`skip_preflight_checks\`. Releases that read the findings of rules that
only report show each one as a warning. Releases whose \`action.yml\` has the input \`fail_on_rejection\` only warn and go on to deploy unless
it is \`true\`, which is not the default of the oldest ones: set it.

The Action has the tags \`v1.0.0\`, \`v1.0.1\` and \`main\`, and no \`v1\`: a reference to \`v1\` fails the job. The inputs are those of its
\`action.yml\`; it ignores spellings with hyphens. Older releases accept only the statuses \`in_progress\`, \`success\` and \`failure\`, so that
the script reports a cancelled job; newer ones send every status, and fail the step that reports a failed deployment once it is recorded. The
Action sends each event once, without retries. Newer releases continue with \`fail_on_api_error: false\` after every error but a
rejection, outages included; older ones have no such input. The job summary links to a user interface: the Action derives its address
from \`api_url\`, the command-line client reads \`VERSIONER_UI_URL\`. Set that variable, or ignore the link.

## With the command-line client

\`\`\`yaml
name: Deploy
on:
  push:
    branches: [main]
jobs:
  deploy:
    runs-on: ubuntu-latest
    env:
      VERSIONER_API_URL: \${{ vars.VERSIONER_API_URL }}
      VERSIONER_API_KEY: \${{ secrets.VERSIONER_API_KEY }}
    steps:
      - uses: actions/checkout@v4
      - name: Report the start
        run: |
          curl -fsSL https://github.com/versioner-io/versioner-cli/releases/latest/download/versioner-linux-amd64 -o versioner
          chmod +x versioner
          ./versioner track deployment --product checkout --version "$GITHUB_SHA" --environment production --status started
      - name: Deploy
        id: deploy
        run: ./deploy.sh
      - name: Report the result
        if: always() && steps.deploy.outcome != 'skipped'
        env:
          OUTCOME: \${{ steps.deploy.outcome }}
        run: ./versioner track deployment --product checkout --version "$GITHUB_SHA" --environment production --status "$OUTCOME"
\`\`\`

## Sources

GitHub's [contexts](https://docs.github.com/en/actions/reference/workflows-and-actions/contexts) and
[expressions](https://docs.github.com/en/actions/reference/workflows-and-actions/expressions); the Action's
[action.yml](https://github.com/versioner-io/versioner-github-action/blob/main/action.yml).
`,p=`# GitLab CI

[Prerequisites](README.md#prerequisites) · image: any with \`curl\` (in Alpine, \`apk add --no-cache curl\`
first).

**The secret**: project or group → *Settings* → *CI/CD* → *Variables* → \`VERSIONER_API_KEY\`, *masked* (a key has only
characters that GitLab can mask) and, where you deploy from protected branches only, *protected*. Add
\`VERSIONER_API_URL\` there, too.

## With curl

\`.gitlab-ci.yml\`:

\`\`\`yaml
stages: [deploy]
deploy:
  stage: deploy
  environment: production
  rules:
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
  variables:
    VERSIONER_PRODUCT: checkout
    VERSIONER_VERSION: $CI_COMMIT_SHA
    VERSIONER_ENVIRONMENT: production
    VERSIONER_SOURCE_SYSTEM: gitlab
    VERSIONER_BUILD_NUMBER: $CI_PIPELINE_IID
    VERSIONER_SCM_SHA: $CI_COMMIT_SHA
    VERSIONER_SCM_BRANCH: $CI_COMMIT_REF_NAME
    VERSIONER_SCM_REPOSITORY: $CI_PROJECT_PATH
    VERSIONER_DEPLOY_URL: $CI_PIPELINE_URL
    VERSIONER_INVOKE_ID: $CI_PIPELINE_ID
    VERSIONER_DEPLOYED_BY: $GITLAB_USER_LOGIN
  script:
    - sh ci/versioner-event.sh started
    - touch .deployment-started
    - ./deploy.sh
  after_script:
    - test ! -e .deployment-started || sh ci/versioner-event.sh "$CI_JOB_STATUS"
\`\`\`

\`after_script\` runs after successful, failed and cancelled jobs, in a separate shell. \`CI_JOB_STATUS\` is
\`success\`, \`failed\` or \`canceled\` there. Its exit status does not change the result of the job: a final event that is not
recorded never fails the job. Without the file \`.deployment-started\`, a job that failed before the deployment would be
recorded as a failed deployment. A job that is retried keeps its \`CI_PIPELINE_ID\`; its \`started\` opens a new deployment. The same holds
for the rollback button of an environment, which runs the job of an earlier pipeline again.

## Ask beforehand

A job in the first stage, with the variable \`VERSIONER_PREFLIGHT_KEY\` ([a key with the scope \`preflight\`](README.md#ask-beforehand)):

\`\`\`yaml
stages: [preflight, build, deploy]
preflight:
  stage: preflight
  rules:
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
  variables:
    VERSIONER_PRODUCT: checkout
    VERSIONER_VERSION: $CI_COMMIT_SHA
    VERSIONER_ENVIRONMENT: production
  script:
    - sh ci/versioner-event.sh preflight
  allow_failure:
    exit_codes: [1]
\`\`\`

A rule that would reject the deployment fails the job with exit status 5, and later stages do not run. \`allow_failure\` continues when
Versioner is unavailable (1); [3 and 4](README.md#exit-statuses) are errors of the job. [What the clients
print](README.md#what-a-rejected-pipeline-prints) for a rejected deployment.

## With the command-line client

\`\`\`yaml
stages: [deploy]
deploy:
  stage: deploy
  environment: production
  script:
    - curl -fsSL https://github.com/versioner-io/versioner-cli/releases/latest/download/versioner-linux-amd64 -o versioner
    - chmod +x versioner
    - ./versioner track deployment --product checkout --version "$CI_COMMIT_SHA" --environment production --status started
    - touch .deployment-started
    - ./deploy.sh
  after_script:
    - test ! -e .deployment-started || ./versioner track deployment --product checkout --version "$CI_COMMIT_SHA" --environment production --status "$CI_JOB_STATUS"
\`\`\`

## Sources

GitLab's [predefined variables](https://docs.gitlab.com/ci/variables/predefined_variables/),
[\`after_script\`](https://docs.gitlab.com/ci/yaml/#after_script) and
[masked variables](https://docs.gitlab.com/ci/variables/#mask-a-cicd-variable). Before GitLab 17.0 \`after_script\` did
not run for cancelled jobs, and some older runners set \`CI_JOB_STATUS\` to \`running\` there; the server rejects that with 422.
`,m=`# Jenkins

[Prerequisites](README.md#prerequisites) · agent: any with \`curl\`; a Pipeline whose Jenkinsfile comes from
Git.

**The secret**: *Manage Jenkins* → *Credentials* → a store → *Add Credentials* → kind *Secret text*, ID
\`versioner-api-key\`. It needs the plugin Credentials Binding. The address may be a global environment variable
\`VERSIONER_API_URL\` (*Manage Jenkins* → *System* → *Global properties*), or stand in the Jenkinsfile.

## With curl

\`Jenkinsfile\`:

\`\`\`groovy
void reportToVersioner(String status) {
  withCredentials([string(credentialsId: 'versioner-api-key', variable: 'VERSIONER_API_KEY')]) {
    withEnv(["STATUS=\${status}"]) {
      sh '''
        export VERSIONER_PRODUCT=checkout
        export VERSIONER_VERSION="$GIT_COMMIT"
        export VERSIONER_ENVIRONMENT=production
        export VERSIONER_SOURCE_SYSTEM=jenkins
        export VERSIONER_BUILD_NUMBER="$BUILD_NUMBER"
        export VERSIONER_SCM_SHA="$GIT_COMMIT"
        export VERSIONER_SCM_BRANCH="$GIT_BRANCH"
        export VERSIONER_SCM_REPOSITORY="$GIT_URL"
        export VERSIONER_DEPLOY_URL="$BUILD_URL"
        export VERSIONER_INVOKE_ID="$BUILD_ID"
        export VERSIONER_DEPLOYED_BY="\${BUILD_USER:-}"
        sh ci/versioner-event.sh "$STATUS"
      '''
    }
  }
}

pipeline {
  agent any
  stages {
    stage('Report the start') {
      steps {
        reportToVersioner('started')
      }
    }
    stage('Deploy') {
      steps {
        sh './deploy.sh'
      }
      post {
        success { reportToVersioner('completed') }
        failure { reportToVersioner('failed') }
        aborted { reportToVersioner('aborted') }
      }
    }
  }
}
\`\`\`

\`post\` of the stage \`Deploy\` runs only if that stage ran: when the first event fails, nothing is deployed and no further
event is sent. \`aborted\` reports a cancelled build. The script is in single quotes, so that the shell expands the values, not Groovy: the key stays out of
the log, and a branch name cannot become a command. \`GIT_BRANCH\` is like \`origin/main\`. \`BUILD_USER\` comes from the
plugin *build user vars* (inside its \`wrap\`); without it the event names no user. \`BUILD_ID\` is the number of the build; a build
that is replayed or rebuilt gets a new one.

## Ask beforehand

A stage before the build, with a second credential \`versioner-preflight-key\`
([a key with the scope \`preflight\`](README.md#ask-beforehand)):

\`\`\`groovy
pipeline {
  agent any
  stages {
    stage('Ask whether the deployment may start') {
      steps {
        withCredentials([string(credentialsId: 'versioner-preflight-key', variable: 'VERSIONER_PREFLIGHT_KEY')]) {
          sh '''
            export VERSIONER_PRODUCT=checkout
            export VERSIONER_VERSION="$GIT_COMMIT"
            export VERSIONER_ENVIRONMENT=production
            sh ci/versioner-event.sh preflight
          '''
        }
      }
    }
    stage('Build') {
      steps {
        sh './build.sh'
      }
    }
  }
}
\`\`\`

A rule that would reject the deployment fails the stage with exit status 5 ("script returned exit code 5"), and later stages are skipped;
1, 3 and 4 are [other reasons](README.md#exit-statuses). [What the clients print](README.md#what-a-rejected-pipeline-prints) for a
rejected deployment.

## With the command-line client

\`\`\`groovy
void reportToVersioner(String status) {
  withCredentials([string(credentialsId: 'versioner-api-key', variable: 'VERSIONER_API_KEY')]) {
    withEnv(["STATUS=\${status}"]) {
      sh '''
        if [ ! -x versioner ]; then
          curl -fsSL https://github.com/versioner-io/versioner-cli/releases/latest/download/versioner-linux-amd64 -o versioner
          chmod +x versioner
        fi
        ./versioner track deployment --product checkout --version "$GIT_COMMIT" --environment production --status "$STATUS"
      '''
    }
  }
}

pipeline {
  agent any
  stages {
    stage('Report the start') {
      steps {
        reportToVersioner('started')
      }
    }
    stage('Deploy') {
      steps {
        sh './deploy.sh'
      }
      post {
        success { reportToVersioner('completed') }
        failure { reportToVersioner('failed') }
        aborted { reportToVersioner('aborted') }
      }
    }
  }
}
\`\`\`

## Sources

Jenkins' [Pipeline syntax](https://www.jenkins.io/doc/book/pipeline/syntax/#post),
[credentials in a Jenkinsfile](https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#handling-credentials), and the list
of variables that every Jenkins has under \`/env-vars.html\`.
`,h='# CI systems\n\nEvery page sends two events for a deployment: `started` before it, and `completed`, `failed` or `aborted` after it, with the CI\nsystem\'s feature for running a step after a failed or cancelled job. Versioner records them as **one** deployment with its duration.\n\n[GitHub Actions](github-actions.md) · [GitLab CI](gitlab-ci.md) · [Jenkins](jenkins.md) · [CircleCI](circleci.md) ·\n[Bitbucket Pipelines](bitbucket-pipelines.md) · [Azure DevOps](azure-devops.md) · [Buildkite](buildkite.md) ·\n[Travis CI](travis-ci.md) · [Rundeck](rundeck.md)\n\n## Prerequisites\n\n1. The server\'s address, which the runner must reach, as `VERSIONER_API_URL`.\n2. An API key as `VERSIONER_API_KEY`, in the CI system\'s secret store. `versionerd keys create --account NAME --name ci` and\n   `POST /api-keys/` create one. Use one key per pipeline or team; [keys.md](../keys.md) describes rotation.\n3. The script [versioner-event.sh](../examples/versioner-event.sh), copied into your repository as\n   `ci/versioner-event.sh`. It needs `sh`, `curl`, `sed` and `tr`, and escapes the JSON safely.\n\nAny other CI system: set the variables, call the script.\n\n```sh\nexport VERSIONER_PRODUCT=checkout VERSIONER_VERSION=1.4.2 VERSIONER_ENVIRONMENT=production\nsh ci/versioner-event.sh started\nif ./deploy.sh; then sh ci/versioner-event.sh completed; else sh ci/versioner-event.sh failed; exit 1; fi\n```\n\n## Fields\n\n| variable | field | description |\n|---|---|---|\n| `VERSIONER_PRODUCT`, `VERSIONER_VERSION`, `VERSIONER_ENVIRONMENT` | `product_name`, `version`, `environment_name` | required; up to 255 characters, created on first mention |\n| `VERSIONER_INVOKE_ID` | `invoke_id` | the CI run; up to 255 characters |\n| `VERSIONER_SOURCE_SYSTEM` | `source_system` | the name of the CI system, such as `github` |\n| `VERSIONER_BUILD_NUMBER` | `build_number` | the displayed number of the run |\n| `VERSIONER_SCM_SHA`, `VERSIONER_SCM_BRANCH`, `VERSIONER_SCM_REPOSITORY` | `scm_sha`, `scm_branch`, `scm_repository` | the commit, the branch or tag, `owner/repo` or an address |\n| `VERSIONER_DEPLOY_URL` | `deploy_url` (`build_url` is accepted, too) | the address of the run\'s log; up to 4,096 characters |\n| `VERSIONER_DEPLOYED_BY` | `deployed_by` | the user that started it, as named by the CI system |\n\nOnly the first line is required. The argument is the status: `started`, `completed`, `failed`, `aborted`, or a word that\nCI systems use, such as `success`, `failure`, `canceled`, `skipped` and\n[some more](../../openapi.yaml).\n\n**`invoke_id` groups the events of a run.** With it, `completed` finds the deployment that `started` opened. The same final\nstatus sent again is a repeat, as long as no later deployment has been opened there. A run that is started again, with the\nsame `invoke_id`, opens a new deployment, and so does a retried job that ends differently (`failed`, then `completed`) and an earlier\nrun that deploys again to roll back. Without it, product, version and environment identify the deployment: two concurrent runs that\ndeploy the same version to the same environment become one, and a `completed` that is sent again after three minutes is another\ndeployment. Use a value that is constant within a run and differs between runs. [How events become\ndeployments](../state-machine.md) has every rule.\n\n## Ask beforehand\n\n`sh ci/versioner-event.sh preflight` asks whether the deployment may start, such as before a long build. It evaluates the\n[deployment rules](../rules.md) and records nothing; `started` evaluates them again, and its answer decides. It needs an API key with the\nscope `preflight`, in `VERSIONER_PREFLIGHT_KEY`; without this variable `VERSIONER_API_KEY` has to have both scopes, `events` and\n`preflight`. `versionerd keys create --account NAME --name preflight --scope preflight` creates one.\n\n```sh\nexport VERSIONER_PRODUCT=checkout VERSIONER_VERSION=1.4.2 VERSIONER_ENVIRONMENT=production\nsh ci/versioner-event.sh preflight\n```\n\nIt prints a line for each rule that would reject the deployment, and the earliest time at which it may start if waiting suffices:\n\n```text\nA deployment rule would reject this deployment.\nNO_DEPLOY_WINDOW: Holiday freeze: deployments of checkout to production are blocked by the window "Christmas" (Peak season) until 2027-01-04 11:00 UTC.\nRetry after: 2027-01-04T11:00:00Z\n```\n\nEach page shows the step. Do not wait for a rule inside of a job: end the pipeline, and run it again at that time.\n\n## Exit statuses\n\nThe script `versioner-event.sh` exits with:\n\n| exit status | reason | an event | `preflight` |\n|---|---|---|---|\n| 0 | 200 | is recorded | the deployment may start |\n| 5 | 409, 423 or 428: a rule rejects this deployment ([errors.md](../errors.md#409-423-428-rejected-by-a-rule)) | always fail the job | a rule would reject it |\n| 1 | unavailable: no connection, 429, 5xx | choose, see below | choose |\n| 3 | bad request: 400, 404, 415, 422 | 1, unless `VERSIONER_DETAILED_EXIT` is `true` | correct the variables |\n| 4 | credentials: 401, 403 | 1, unless `VERSIONER_DETAILED_EXIT` is `true` | the key is invalid, or has another scope |\n| 2 | invalid usage: a variable or the status is missing | | |\n\nFor 5 the script prints the code, the rule, the message and, if waiting suffices, the time of a retry to standard error; then the whole\nanswer in one line, for programs.\n\nBy default 1, 3 and 4 fail the pipeline. With `VERSIONER_FAIL_ON_API_ERROR=false` the script logs the failure and exits with 0.\nFail if audits need the record or rules must be enforced: then every deployment is recorded. Continue if the record is\ninformational: then an outage of Versioner stops no deployment, and some records are missing.\n\nThe script waits up to 30 seconds for an answer (`--max-time`; the server itself waits up to 10 seconds for its\ndatabase). It retries up to three times, for at most two minutes (`--retry 3 --retry-max-time 120`), after 408, 429\nand 5xx, timeouts and refused connections (`--retry-connrefused`), and honours `Retry-After`. It does not\nuse `--retry-all-errors`, which would also repeat 401 and 422, whose answers stay the same. Repeated events are\nsafe.\n\n## The published command-line client\n\n`versioner` detects the fields of the table above from the CI system, except the branch of a deployment, which it does not send.\nEach page shows its steps. It reads `VERSIONER_API_URL`, `VERSIONER_API_KEY` and most of the variables above, which take precedence,\nand sends an event up to four times: after a failed connection, 429 and 5xx it waits 1, 2 and 4 seconds. `VERSIONER_UI_URL` is the base address of the links in its summaries, those of the hosted service\notherwise.\n\n| command | exit status |\n|---|---|\n| `track deployment` | 1: no connection, 429, 5xx, or invalid arguments; 4: any other error; 5: rejected by a rule |\n| `track build` | 1: invalid arguments; 2: any other error, including no connection |\n\n`--fail-on-api-error=false`, or `VERSIONER_FAIL_ON_API_ERROR=false`, makes newer releases exit with 0 instead of 4, and `track build` for\n401, 403 and 422. They print that the event was not recorded, then "tracked successfully" with an empty `Event ID`. **It does not cover\noutages**: without a connection and for 429 and 5xx `track deployment` still ends with 1, `track build` with 2. To continue in every case\nbut a rejection, check the status in the job:\n\n<!-- not run: the client is a separate program -->\n```sh\nversioner track deployment --product checkout --version 1.4.2 --environment production --status completed || [ $? -ne 5 ]\n```\n\n### What a rejected pipeline prints\n\n`track deployment` prints to standard error, and exits with 5:\n\n| status | code | first line, after a symbol | then |\n|---|---|---|---|\n| 409 | `DEPLOYMENT_IN_PROGRESS` | Deployment Conflict | the message, "Another deployment is in progress. Please wait and retry." |\n| 423 | `NO_DEPLOY_WINDOW` | Deployment Blocked by Schedule | the rule, the message, "Retry after:" with the time, and advises `--skip-preflight-checks` |\n| 428 | `FLOW_VIOLATION` | Deployment Precondition Failed | the code, the rule, the message, "Deploy to required environments first, then retry." |\n| 428 | `INSUFFICIENT_SOAK_TIME` | Deployment Precondition Failed | the code, the rule, the message, "Retry after:" with the time, "Wait for soak time to complete, then retry.", and advises `--skip-preflight-checks` |\n| 428 | `QUALITY_APPROVAL_REQUIRED`, `APPROVAL_REQUIRED` | Deployment Precondition Failed | the code, the rule, the message, "Obtain approval via Versioner UI, then retry." |\n\nAfter that it prints all `details` of the answer as JSON. The flag has an effect only with a key that has the scope `skip_preflight`\n([rules.md](../rules.md#skipping-rules)); otherwise the deployment is rejected again, and newer releases print that the flag is deprecated. The\nclient does not ask beforehand: use the script.\n\nThe tests of these pages run a program with the behaviour of the client; `make test-published-clients CLI=/path/to/versioner` runs the client.\n',g=`#!/bin/sh
# Reports a deployment event to Versioner, or asks whether a deployment may start. Requires sh, curl, sed and tr, which every CI image
# with curl has.
#
#   versioner-event.sh started|completed|failed|aborted
#   versioner-event.sh preflight      evaluates the deployment rules and records nothing
#
# VERSIONER_API_URL      the server, such as https://versioner.example.com
# VERSIONER_API_KEY      an API key, from the CI system's store of secrets
# VERSIONER_PREFLIGHT_KEY
#                        for preflight: a key with the scope preflight; without it, VERSIONER_API_KEY has to have that scope
# VERSIONER_PRODUCT, VERSIONER_VERSION, VERSIONER_ENVIRONMENT
#                        the product, its version and the environment
# VERSIONER_SOURCE_SYSTEM, VERSIONER_BUILD_NUMBER, VERSIONER_SCM_SHA, VERSIONER_SCM_BRANCH, VERSIONER_SCM_REPOSITORY,
# VERSIONER_DEPLOY_URL, VERSIONER_INVOKE_ID, VERSIONER_DEPLOYED_BY
#                        optional fields of an event; empty ones are omitted
# VERSIONER_FAIL_ON_API_ERROR=false
#                        exit with 0 when the server has not accepted the request; a rejected deployment still fails
# VERSIONER_DETAILED_EXIT=true
#                        exit with 3 and 4 for events, too, which otherwise exit with 1
#
# Exit status:
#   0  the event is recorded; preflight: the deployment may start
#   1  unavailable: no connection, 429 or 5xx; of events, any other error
#   2  invalid usage
#   3  bad request: 400, 404, 415, 422 or another 4xx
#   4  credentials: 401 or 403
#   5  rejected by a rule: 409, 423 or 428; preflight: a rule would reject the deployment
set -eu
LC_ALL=C
export LC_ALL

# required TEXT DESCRIPTION ends the script if the text is empty.
required() {
	[ -n "$1" ] || {
		printf '%s\\n' "versioner-event.sh: $2 is missing" >&2
		exit 2
	}
}

action=\${1:-}
required "$action" 'the status, one of started, completed, failed and aborted, or preflight,'
[ "$action" != preflight ] || VERSIONER_API_KEY=\${VERSIONER_PREFLIGHT_KEY:-\${VERSIONER_API_KEY:-}}
required "\${VERSIONER_API_URL:-}" 'VERSIONER_API_URL, the address of the server,'
required "\${VERSIONER_API_KEY:-}" 'VERSIONER_API_KEY, an API key,'
required "\${VERSIONER_PRODUCT:-}" 'VERSIONER_PRODUCT, the product,'
required "\${VERSIONER_VERSION:-}" 'VERSIONER_VERSION, its version,'
required "\${VERSIONER_ENVIRONMENT:-}" 'VERSIONER_ENVIRONMENT, the environment,'

# member NAME TEXT writes a comma and a member of a JSON object, with the text escaped; nothing for an empty text.
member() {
	escaped=$(printf '%s' "$2" | tr -d '\\000-\\037' | sed 's/[\\\\"]/\\\\&/g')
	[ -z "$escaped" ] || printf ',"%s":"%s"' "$1" "$escaped"
}

path=/deployment-events/
[ "$action" != preflight ] || path=/preflight/
body=$(
	member product_name "$VERSIONER_PRODUCT"
	member version "$VERSIONER_VERSION"
	member environment_name "$VERSIONER_ENVIRONMENT"
	if [ "$action" != preflight ]; then
		member status "$action"
		member source_system "\${VERSIONER_SOURCE_SYSTEM:-}"
		member build_number "\${VERSIONER_BUILD_NUMBER:-}"
		member scm_sha "\${VERSIONER_SCM_SHA:-}"
		member scm_branch "\${VERSIONER_SCM_BRANCH:-}"
		member scm_repository "\${VERSIONER_SCM_REPOSITORY:-}"
		member deploy_url "\${VERSIONER_DEPLOY_URL:-}"
		member invoke_id "\${VERSIONER_INVOKE_ID:-}"
		member deployed_by "\${VERSIONER_DEPLOYED_BY:-}"
	fi
)

# The key goes through standard input, so that other programs on the machine do not see it. The last line of the answer is its status.
answer=$(printf 'header = "Authorization: Bearer %s"\\n' "$VERSIONER_API_KEY" | curl --config - --silent --show-error \\
	--max-time 30 --retry 3 --retry-connrefused --retry-max-time 120 --write-out '\\n%{http_code}' \\
	--header 'Content-Type: application/json' --data-binary "{\${body#,}}" "\${VERSIONER_API_URL%/}$path") || true
newline='
'
http_status=\${answer##*"$newline"}
answer=\${answer%"$newline"*}
printf '%s\\n' "Versioner: $action of $VERSIONER_PRODUCT $VERSIONER_VERSION in $VERSIONER_ENVIRONMENT: HTTP status \${http_status:-none}"

# The answer with each escaped quote and backslash as a control character, so that a quote ends a text.
json=$(printf '%s' "$answer" | tr -d '\\001\\002' | sed "s/\\\\\\\\\\\\\\\\/$(printf '\\002')/g; s/\\\\\\\\\\"/$(printf '\\001')/g; s/\\\\\\\\[nrt]/ /g
s/\\\\\\\\u003c/</g; s/\\\\\\\\u003e/>/g; s/\\\\\\\\u0026/\\\\&/g")

# first NAME LABEL prints the first text of that name in the answer, after the label; nothing if there is none.
first() {
	printf '%s\\n' "$json" | sed "s/\\"$1\\":\\"/\\\\
&/" | sed -n "s/^\\"$1\\":\\"\\([^\\"]*\\)\\".*/$2: \\1/p" | tr '\\001\\002' '"\\\\'
}

# findings LIST LABEL prints what rules have found, after the label: a line for each in that list of the answer to a preflight.
findings() {
	printf '%s\\n' "$json" | sed -n "s/.*\\"$1\\":\\[\\({.*\\)/\\1/p" | sed 's/],"usable_grant_id":.*//; s/],"warnings":.*//; s/{"certain":/\\
&/g' |
		sed -n "s/.*\\"code\\":\\"\\([A-Z_]*\\)\\".*\\"message\\":\\"\\([^\\"]*\\)\\".*/$2\\1: \\2/p" | tr '\\001\\002' '"\\\\'
}

detailed=\${VERSIONER_DETAILED_EXIT:-false}
[ "$action" != preflight ] || detailed=true
case $http_status in
200)
	[ "$action" = preflight ] || exit 0
	case $json in
	*'"would_allow":true'*)
		findings reports 'Reported only: '
		printf '%s\\n' 'The deployment may start.'
		exit 0
		;;
	*'"would_allow":false'*)
		{
			printf '%s\\n' 'A deployment rule would reject this deployment.'
			findings violations ''
			first next_allowed_at 'Retry after'
			printf '%s\\n' "$answer"
		} >&2
		exit 5
		;;
	esac
	status=1
	;;
409 | 423 | 428)
	{
		printf '%s\\n' 'Versioner rejected this deployment.'
		first code Code
		first rule_name Rule
		first message Message
		first retry_after 'Retry after'
		printf '%s\\n' "$answer"
	} >&2
	exit 5
	;;
401 | 403) status=4 ;;
429) status=1 ;;
4??) status=3 ;;
*) status=1 ;;
esac
if [ "$action" = preflight ]; then
	printf '%s\\n' "The deployment rules were not evaluated: $answer" >&2
else
	printf '%s\\n' "The event was not recorded: $answer" >&2
fi
[ "\${VERSIONER_FAIL_ON_API_ERROR:-true}" != false ] || exit 0
[ "$detailed" = true ] || exit 1
exit "$status"
`,_=t(),v={"GitHub Actions":f,"GitLab CI":p,Jenkins:m,CircleCI:d,"Bitbucket Pipelines":l,"Azure DevOps":c,Buildkite:u},y=`Plain shell`;function b(e){return{secret:x(e.match(/\*\*The secret\*\*: ([\s\S]*?)\n\n/)?.[1]??``),file:e.match(/^`([^`]+)`:$/m)?.[1]??``,pipeline:e.match(/```\w+\n([\s\S]*?)```/)?.[1]?.trimEnd()??``}}function x(e){return e.replaceAll(/\[([^\]]*)\]\([^)]*\)/g,`$1`).replaceAll(/[*`]/g,``).replaceAll(`
`,` `)}function S({apiKey:e}){let[t,n]=(0,s.useState)(`GitHub Actions`);return(0,_.jsxs)(`div`,{className:`flex min-w-0 flex-col gap-3`,children:[(0,_.jsx)(i,{label:`CI system`,value:t,onChange:e=>n(e.target.value),children:[...Object.keys(v),y].map(e=>(0,_.jsx)(`option`,{children:e},e))}),t===y?(0,_.jsx)(w,{apiKey:e}):(0,_.jsx)(C,{system:t}),(0,_.jsxs)(`details`,{children:[(0,_.jsx)(`summary`,{className:`min-h-6 w-fit rounded text-sm text-accent`,children:`The script ci/versioner-event.sh`}),(0,_.jsxs)(`div`,{className:`flex flex-col gap-2 pt-2`,children:[(0,_.jsx)(`p`,{className:`text-sm text-muted`,children:`Copy it into your repository. It needs sh, curl, sed and tr.`}),(0,_.jsx)(o,{label:`ci/versioner-event.sh`,text:g.trimEnd()})]})]})]})}function C({system:e}){let{secret:t,file:n,pipeline:r}=b(v[e]);return(0,_.jsxs)(_.Fragment,{children:[(0,_.jsxs)(`p`,{className:`text-sm text-muted`,children:[`Put the key into the secret store: `,t]}),(0,_.jsx)(o,{label:`VERSIONER_API_URL`,text:a}),(0,_.jsx)(o,{label:n,text:r})]})}function w({apiKey:e}){let{pipeline:t}=b(h),n=[`export VERSIONER_API_URL=${r(a)}`,...e?[`export VERSIONER_API_KEY=${r(e)}`]:[]];return(0,_.jsx)(o,{label:`Shell`,text:[...n,t].join(`
`)})}export{S as t};