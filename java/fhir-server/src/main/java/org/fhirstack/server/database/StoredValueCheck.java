package org.fhirstack.server.database;

import ca.uhn.fhir.context.RuntimeSearchParam;
import ca.uhn.fhir.jpa.model.entity.BaseResourceIndexedSearchParam;
import ca.uhn.fhir.jpa.model.entity.ResourceIndexedSearchParamToken;
import ca.uhn.fhir.jpa.model.entity.ResourceLink;
import ca.uhn.fhir.jpa.model.entity.ResourceSearchUrlEntity;
import ca.uhn.fhir.jpa.model.entity.TagDefinition;
import ca.uhn.fhir.rest.server.exceptions.InvalidRequestException;
import ca.uhn.fhir.rest.server.util.ISearchParamRegistry;
import java.io.Serial;
import java.util.Locale;
import java.util.function.Supplier;
import org.hibernate.event.service.spi.EventListenerRegistry;
import org.hibernate.event.spi.EventType;
import org.hibernate.event.spi.MergeContext;
import org.hibernate.event.spi.MergeEvent;
import org.hibernate.event.spi.MergeEventListener;
import org.hibernate.event.spi.PersistContext;
import org.hibernate.event.spi.PersistEvent;
import org.hibernate.event.spi.PersistEventListener;
import org.hibernate.engine.spi.SessionFactoryImplementor;

/**
 * Refuses with 400 and the path what a column of HAPI's tables does not hold.
 *
 * <p>HAPI 8.8 cuts most of what it indexes to its columns, and lets the database refuse the rest: 409 with the text of the
 * statement, or 500. A tag that the database refuses is worse: HAPI tries the request again with the tag's definition of
 * the attempt that was undone, answers 201, and the resource has lost all tags that were new.
 */
final class StoredValueCheck implements PersistEventListener, MergeEventListener {
    @Serial
    private static final long serialVersionUID = 1L;

    private final transient ColumnLimits limits;
    private final transient Supplier<ISearchParamRegistry> searches;

    private StoredValueCheck(ColumnLimits limits, Supplier<ISearchParamRegistry> searches) {
        this.limits = limits;
        this.searches = searches;
    }

    /** Looks at every entity that is to be written, before Hibernate does. */
    static StoredValueCheck of(SessionFactoryImplementor sessions, Supplier<ISearchParamRegistry> searches) {
        StoredValueCheck check = new StoredValueCheck(
                new ColumnLimits(sessions.getRuntimeMetamodels().getMappingMetamodel()), searches);
        EventListenerRegistry listeners = sessions.getEventEngine().getListenerRegistry();
        listeners.getEventListenerGroup(EventType.PERSIST).prependListener(check);
        listeners.getEventListenerGroup(EventType.MERGE).prependListener(check);
        return check;
    }

    @Override
    public void onPersist(PersistEvent event) {
        check(event.getObject());
    }

    @Override
    public void onPersist(PersistEvent event, PersistContext context) {
        check(event.getObject());
    }

    @Override
    public void onMerge(MergeEvent event) {
        check(event.getOriginal());
    }

    @Override
    public void onMerge(MergeEvent event, MergeContext context) {
        check(event.getOriginal());
    }

    private void check(Object entity) {
        if (entity instanceof ResourceIndexedSearchParamToken) {
            return; // HAPI cuts it, later than this
        }
        limits.excess(entity).ifPresent(excess -> {
            throw new InvalidRequestException(place(entity, excess.column()) + " " + excess.problem() + ".");
        });
    }

    /** Where a resource or a request has what an entity keeps of it. */
    private String place(Object entity, String column) {
        if (entity instanceof BaseResourceIndexedSearchParam index) {
            RuntimeSearchParam search = searches.get()
                    .getActiveSearchParam(
                            index.getResourceType(),
                            index.getParamName(),
                            ISearchParamRegistry.SearchParamLookupContextEnum.ALL);
            String path = search == null
                    ? index.getResourceType()
                    : String.join(" | ", search.getPathsSplitForResourceType(index.getResourceType()));
            return path + " (search parameter " + index.getParamName() + ", " + part(column) + ")";
        }
        if (entity instanceof ResourceLink link) {
            return link.getSourcePath();
        }
        if (entity instanceof TagDefinition tag) {
            return switch (tag.getTagType()) {
                case TAG -> "meta.tag." + part(column);
                case SECURITY_LABEL -> "meta.security." + part(column);
                case PROFILE -> "meta.profile";
            };
        }
        if (entity instanceof ResourceSearchUrlEntity) {
            return "The condition of the create";
        }
        return entity.getClass().getSimpleName() + "." + column;
    }

    /** {@code SP_SYSTEM}, {@code TAG_CODE}: what follows the prefix, as FHIR writes it. */
    private static String part(String column) {
        return column.substring(column.indexOf('_') + 1).toLowerCase(Locale.ROOT);
    }
}
