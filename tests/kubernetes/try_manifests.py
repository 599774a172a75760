"""Holds every rendering to what a cluster, a policy linter, the program and the other renderings say of it."""

import sys

from chart import refuses_what_no_schema_allows, says_what_the_base_says
from linter import has_no_finding_that_is_not_explained
from program import is_accepted_by_the_program
from rendered import everything
from schemas import VERSION, has_only_what_kubernetes_knows
from together import holds_together

renderings = everything()
for rendering in renderings:
    has_only_what_kubernetes_knows(rendering)
    holds_together(rendering)
    is_accepted_by_the_program(sys.argv[1], rendering)
    print(f"{rendering.name}: {len(rendering.objects)} objects hold in Kubernetes {VERSION}")
by_name = {rendering.name: rendering for rendering in renderings}
says_what_the_base_says(by_name["helm"], by_name["overlays/observe"])
refuses_what_no_schema_allows()
print(f"policy: {has_no_finding_that_is_not_explained(renderings)} findings, each explained")
