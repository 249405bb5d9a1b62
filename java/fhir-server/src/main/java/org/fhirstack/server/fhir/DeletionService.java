package org.fhirstack.server.fhir;

import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.model.DeleteConflictList;
import ca.uhn.fhir.jpa.delete.DeleteConflictService;
import ca.uhn.fhir.jpa.model.entity.ResourceTable;
import ca.uhn.fhir.rest.api.server.RequestDetails;
import ca.uhn.fhir.rest.api.server.storage.TransactionDetails;

/**
 * Takes the tags from a deleted record, and leaves references to it alone where their integrity is not enforced.
 *
 * <p>HAPI 8.8 keeps the tags: a record that is written again under the same id would have those of the old one, whatever
 * the write says, and belong to its team. Its earlier versions have their own.
 *
 * <p>HAPI 8.8 then removes one of them from its index. A transaction that deletes a record and changes or deletes what
 * refers to it fails for that: with 500 (HAPI-0389, the removed row is merged), or with 409 (HAPI-0826) when the record
 * comes first. The Android app sends the former when the head of a household changes.
 */
class DeletionService extends DeleteConflictService {
    private final JpaStorageSettings settings;

    DeletionService(JpaStorageSettings settings) {
        this.settings = settings;
    }

    @Override
    public int validateOkToDelete(
            DeleteConflictList conflicts,
            ResourceTable entity,
            boolean forValidate,
            RequestDetails request,
            TransactionDetails transaction) {
        if (!forValidate) {
            entity.getTags().clear();
            entity.setHasTags(false);
        }
        if (!settings.isEnforceReferentialIntegrityOnDelete() && !forValidate) {
            return 0;
        }
        return super.validateOkToDelete(conflicts, entity, forValidate, request, transaction);
    }
}
