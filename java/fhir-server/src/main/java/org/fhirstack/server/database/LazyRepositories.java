package org.fhirstack.server.database;

import org.springframework.beans.factory.config.BeanFactoryPostProcessor;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.beans.factory.config.DependencyDescriptor;
import org.springframework.beans.factory.support.DefaultListableBeanFactory;
import org.springframework.context.annotation.ContextAnnotationAutowireCandidateResolver;
import org.springframework.data.jpa.repository.support.JpaRepositoryFactoryBean;
import org.springframework.data.repository.Repository;

/**
 * Makes HAPI's repositories when they are first used: each parses all of its queries, and a start uses few of them. It is
 * what {@code BootstrapMode.LAZY} does, which HAPI's configuration does not let an application choose.
 */
class LazyRepositories implements BeanFactoryPostProcessor {

    @Override
    public void postProcessBeanFactory(ConfigurableListableBeanFactory beans) {
        for (String name : beans.getBeanNamesForType(JpaRepositoryFactoryBean.class, true, false)) {
            beans.getBeanDefinition(name.replaceFirst("^&", "")).setLazyInit(true);
        }
        DefaultListableBeanFactory factory = (DefaultListableBeanFactory) beans;
        LazyResolver resolver = new LazyResolver();
        resolver.setBeanFactory(factory);
        factory.setAutowireCandidateResolver(resolver);
    }

    private static final class LazyResolver extends ContextAnnotationAutowireCandidateResolver {

        @Override
        protected boolean isLazy(DependencyDescriptor descriptor) {
            return Repository.class.isAssignableFrom(descriptor.getDependencyType()) || super.isLazy(descriptor);
        }
    }
}
